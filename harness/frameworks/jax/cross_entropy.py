"""Cross-entropy of low-precision logits, cast to float32 a bounded number of rows at a time.

Logits are a language model's largest array; casting all of them to float32, with the softmax's
intermediate results, would need several times their memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array

PART_BYTES = 2**28
"""Maximum size of a part in float32, in bytes, unless a single row is larger."""

ResultT = TypeVar("ResultT")


def mean_cross_entropy(logits: Array, targets: Array) -> Array:
    """The mean cross-entropy of targets (...) under logits (..., classes), in float32.

    Only the arguments are saved for the backward pass, which recomputes the softmax.
    """

    @jax.checkpoint
    def total(logits: Array, targets: Array) -> Array:
        logits_f32 = logits.astype(jnp.float32)
        likelihoods = jnp.take_along_axis(logits_f32, targets[:, None], axis=-1)[:, 0]
        return (jax.nn.logsumexp(logits_f32, axis=-1) - likelihoods).sum()

    sums: Array = by_parts(total, logits, targets).sum()
    return sums / targets.size


def by_parts(function: Callable[[Array, Array], ResultT], logits: Array, targets: Array) -> ResultT:
    """Apply a function to equal parts of the rows, one after another, and stack the results."""
    classes, rows = logits.shape[-1], targets.size
    parts = count_of(rows, classes)
    whole = logits.reshape(parts, rows // parts, classes), targets.reshape(parts, rows // parts)
    result: ResultT = jax.lax.map(lambda part: function(*part), whole)
    return result


def count_of(rows: int, classes: int) -> int:
    """The smallest number of equal parts of at most `PART_BYTES` each in float32."""
    least = max(1, -(-4 * rows * classes // PART_BYTES))
    return next(count for count in range(min(least, rows), rows + 1) if rows % count == 0)
