"""The failure probe `ill_conditioned`."""
