"""The failure probe `huge_gradients`."""
