"""Building blocks of several JAX models: activations and norms without a bias."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array


def squared_relu(values: Array) -> Array:
    """max(x, 0)^2 (So et al., 2021)."""
    return jnp.square(jax.nn.relu(values))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "squared_relu": squared_relu,
    "tanh": jnp.tanh,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "silu": jax.nn.silu,
}
"""By the names of `sizes.activation`; GELU is exact, with the error function."""


def normalise(values: Array, gain: Array, kind: str, epsilon: float) -> Array:
    """RMSNorm, or layer normalisation without a bias, over the last axis, in float32.

        y = g x / sqrt(mean(x^2) + eps)    for kind "layer" with x - mean(x) in place of x

    Args:
        values: (..., width).
        gain: g, (width,).
        kind: rms or layer.
        epsilon: added to the mean square.
    """
    values = values.astype(jnp.float32)
    if kind == "layer":
        values = values - values.mean(-1, keepdims=True)
    scale = jax.lax.rsqrt(jnp.square(values).mean(-1, keepdims=True) + epsilon)
    return values * scale * gain.astype(jnp.float32)
