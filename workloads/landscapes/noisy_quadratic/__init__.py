"""A quadratic of a given spectrum whose gradients are noisy."""
