"""The failure probe `dead_units`."""
