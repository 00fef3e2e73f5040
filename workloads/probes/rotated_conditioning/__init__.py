"""The failure probe `rotated_conditioning`."""
