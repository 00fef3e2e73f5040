"""The failure probe `sparse_inputs`."""
