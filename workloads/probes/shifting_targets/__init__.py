"""The failure probe `shifting_targets`."""
