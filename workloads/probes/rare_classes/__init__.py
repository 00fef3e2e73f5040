"""The failure probe `rare_classes`."""
