"""The failure probe `exploding_gradients`."""
