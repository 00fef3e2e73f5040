"""The failure probe `shrinking_gradients`."""
