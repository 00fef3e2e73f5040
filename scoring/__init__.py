"""From tables of times to scores: pure functions over pandas frames, no torch, no jax."""
