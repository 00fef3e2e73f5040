"""A small network learns another one from noisy examples, which are drawn for each instance."""
