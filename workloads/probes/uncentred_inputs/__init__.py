"""The failure probe `uncentred_inputs`."""
