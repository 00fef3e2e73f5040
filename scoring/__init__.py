"""Scores from tables of times: pure functions over pandas frames, without torch or jax."""
