"""The failure probe `late_inputs`."""
