"""The failure probe `contrary_majority`."""
