"""The failure probe `far_start`."""
