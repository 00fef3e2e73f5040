"""The failure probe `one_nan`."""
