"""The failure probe `tiny_gradients`."""
