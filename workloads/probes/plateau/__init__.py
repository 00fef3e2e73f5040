"""The failure probe `plateau`."""
