"""Cross-entropy of logits below float32, raised to float32 a bounded number of rows at a time.

Logits are a language model's largest array. Raised to float32 whole, they and what softmax makes of
them would take several times as much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array

PART_BYTES = 2**28
"""What the rows of one part take in float32, at most, unless a single row takes more."""

ResultT = TypeVar("ResultT")


def mean_cross_entropy(logits: Array, targets: Array) -> Array:
    """The mean cross-entropy of targets (...) under logits (..., classes), in float32.

    Nothing but its arguments is kept for a backward pass, which takes the softmax again.
    """

    @jax.checkpoint
    def total(logits: Array, targets: Array) -> Array:
        logits_f32 = logits.astype(jnp.float32)
        likelihoods = jnp.take_along_axis(logits_f32, targets[:, None], axis=-1)[:, 0]
        return (jax.nn.logsumexp(logits_f32, axis=-1) - likelihoods).sum()

    sums: Array = by_parts(total, logits, targets).sum()
    return sums / targets.size


def by_parts(function: Callable[[Array, Array], ResultT], logits: Array, targets: Array) -> ResultT:
    """What a function makes of parts of the rows, one after the other, stacked."""
    classes, rows = logits.shape[-1], targets.size
    parts = count_of(rows, classes)
    whole = logits.reshape(parts, rows // parts, classes), targets.reshape(parts, rows // parts)
    result: ResultT = jax.lax.map(lambda part: function(*part), whole)
    return result


def count_of(rows: int, classes: int) -> int:
    """The least number of equal parts that take `PART_BYTES` in float32 each, at most."""
    least = max(1, -(-4 * rows * classes // PART_BYTES))
    return next(count for count in range(min(least, rows), rows + 1) if rows % count == 0)
