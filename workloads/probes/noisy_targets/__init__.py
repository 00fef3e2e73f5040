"""The failure probe `noisy_targets`."""
