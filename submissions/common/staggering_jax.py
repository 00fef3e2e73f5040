"""`staggering.select_due` for a traced step."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def is_due(
    place: int, count: int, step: jax.Array, period: int, *, stagger: bool = True
) -> jax.Array:
    """Whether item `place` of `count` is due: at steps j T / n modulo T, from the first on."""
    offset = place * period // count * stagger
    return jnp.logical_and(step >= offset, (step - offset) % period == 0)
