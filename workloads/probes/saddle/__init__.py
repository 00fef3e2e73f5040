"""The failure probe `saddle`."""
