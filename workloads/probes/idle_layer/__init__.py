"""The failure probe `idle_layer`."""
