"""The failure probe `layer_scales`."""
