"""A layer that is multiplied by zero: its gradient is exactly zero throughout."""
