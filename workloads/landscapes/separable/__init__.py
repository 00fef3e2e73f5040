"""Wilson's separable problem, which adaptive methods fit without generalising."""
