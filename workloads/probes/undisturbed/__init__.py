"""The failure probe `undisturbed`."""
