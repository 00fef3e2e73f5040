"""The failure probe `vanishing_gradients`."""
