"""Factors of a matrix's rows and columns in JAX: second moments, as `two_sided` has in torch."""

from __future__ import annotations

from collections.abc import Collection

import jax
import jax.numpy as jnp

SIDES = ("left", "right")
Entry = dict[str, jax.Array]
"""What is kept of a matrix; with a factor of a side under the side's name."""


def start_factors(
    matrix: jax.Array, max_dim: int, suffix: str, sides: Collection[str] = SIDES
) -> Entry:
    """Zero factors, and beside each an identity for what is derived from it.

    Args:
        matrix: (rows, columns).
        max_dim: the longest dimension with a factor.
        suffix: `basis` or `root`; the key of what is derived is SIDE_suffix.
        sides: those that may have a factor.
    """
    entry: Entry = {}
    for side, size in zip(SIDES, matrix.shape, strict=True):
        if side in sides and size <= max_dim:
            entry[side] = jnp.zeros((size, size), matrix.dtype)
            entry[f"{side}_{suffix}"] = jnp.eye(size, dtype=matrix.dtype)
    return entry


def accumulate(entry: Entry, g: jax.Array, beta: float) -> Entry:
    """The entry with a gradient (rows, columns) in its factors: averages, or sums if beta is 1."""
    weight = 1.0 if beta == 1.0 else 1.0 - beta
    new = dict(entry)
    if "left" in entry:
        new["left"] = beta * entry["left"] + weight * g @ g.T
    if "right" in entry:
        new["right"] = beta * entry["right"] + weight * g.T @ g
    return new
