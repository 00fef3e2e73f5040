"""The failure probe `spike`."""
