"""Signs in JAX, and infinite gradients, that do not hide divergence."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax


def signs(values: jax.Array) -> jax.Array:
    """The signs, and NaN where an entry is not finite: an infinite one's sign, 1, would hide it."""
    return jnp.sign(values) + 0.0 * values


def expose_infinities() -> optax.GradientTransformation:
    """A stateless transformation that makes NaN of infinite entries and keeps all others.

    For transformations that map an infinite gradient to a finite step, by a sign or a clip.
    """
    return optax.stateless_with_tree_map(lambda gradient, _: gradient + 0.0 * gradient)
