"""Wilson's separable problem, on which adaptive methods fit and do not generalise."""
