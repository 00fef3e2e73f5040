"""The failure probe `tied_layers`."""
