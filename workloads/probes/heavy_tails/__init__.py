"""The failure probe `heavy_tails`."""
