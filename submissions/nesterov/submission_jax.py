"""Nesterov's accelerated gradient through optax; see `submission.py` for the update."""

from __future__ import annotations

from submissions.sgd.submission_jax import build

__all__ = ["build"]
