"""Kronecker factors of a layer's Fisher information in JAX; formulas: `kronecker_factors`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.linalg import cho_solve

from harness.core.errors import UnknownNameError
from harness.submission.interface import Capture
from submissions.common.factored_layers import SHARING
from submissions.common.methods_jax import TINY
from workloads.parameters import LayerSpec

CHUNK_ENTRIES = 2**25
"""Maximum entries of per-example gradients held at once; 128 MiB in float32."""


class Uses(NamedTuple):
    """A layer's inputs and output gradients at every location, in float32."""

    inputs: Array
    """a, (examples, locations, in), or in + 1 with a bias."""
    gradients: Array
    """g of the mean loss, (examples, locations, out)."""


def uses(layer: LayerSpec, weight: Sequence[int], capture: Capture[Array]) -> Uses:
    """Arrange a capture with one row per location; arguments as for `kronecker_factors.uses`."""
    if layer.kind == "convolution":
        patches = jax.lax.conv_general_dilated_patches(
            capture.inputs.astype(jnp.float32),
            tuple(weight[2:]),
            (layer.stride, layer.stride),
            ((layer.padding, layer.padding),) * 2,
            dimension_numbers=("NCHW", "OIHW", "NCHW"),
        )
        usage = Uses(_channels_last(patches), _channels_last(capture.output_gradients))
    elif layer.kind in ("linear", "recurrent"):
        usage = Uses(_places(capture.inputs), _places(capture.output_gradients))
    else:
        raise UnknownNameError("kind of layer", layer.kind, ("convolution", "linear", "recurrent"))
    if layer.bias is None:
        return usage
    ones = jnp.ones_like(usage.inputs[..., :1])
    return usage._replace(inputs=jnp.concatenate([usage.inputs, ones], -1))


def _places(values: Array) -> Array:
    """Reshape (batch, ..., width) to (batch, locations, width)."""
    return values.astype(jnp.float32).reshape(len(values), -1, values.shape[-1])


def _channels_last(images: Array) -> Array:
    """Reshape (batch, channels, height, width) to (batch, locations, channels)."""
    flat = images.astype(jnp.float32).reshape(*images.shape[:2], -1)
    return flat.swapaxes(1, 2)


def rows(usage: Uses, targets: int, sharing: str = "expand") -> tuple[Array, Array]:
    """Matrices X and Y with A = X^T X and S = Y^T Y; as `kronecker_factors.rows`."""
    if sharing not in SHARING:
        raise UnknownNameError("sharing", sharing, SHARING)
    inputs, gradients = usage
    if sharing == "reduce":
        inputs, gradients = inputs.mean(1), gradients.sum(1)
    else:
        inputs, gradients = (x.reshape(-1, x.shape[-1]) for x in usage)
    return inputs / len(inputs) ** 0.5, gradients * targets**0.5


def accumulate(factor: Array, x: Array, beta: Array | float) -> Array:
    """beta F + (1 - beta) X^T X of a factor (n, n) and rows (locations, n)."""
    return beta * factor + (1 - beta) * (x.T @ x)


def second_moment(usage: Uses, targets: int, input_basis: Array, output_basis: Array) -> Array:
    """N sum_n (U_S^T G_n U_A)^2, (out, in); as `kronecker_factors.second_moment`."""
    inputs, gradients = usage.inputs @ input_basis, usage.gradients @ output_basis
    if inputs.shape[1] == 1:
        return targets * ((gradients[:, 0] ** 2).T @ inputs[:, 0] ** 2)
    size = max(1, CHUNK_ENTRIES // (gradients.shape[-1] * inputs.shape[-1]))
    squares = [
        (jnp.einsum("nto,nti->noi", gradients[at : at + size], inputs[at : at + size]) ** 2).sum(0)
        for at in range(0, len(inputs), size)
    ]
    return targets * jnp.stack(squares).sum(0)


def factored_damping(a: Array, s: Array, damping: Array | float) -> tuple[Array, Array]:
    """pi gamma and gamma / pi; as `kronecker_factors.factored_damping`."""
    tiny = TINY**0.5
    ratio = jnp.maximum(jnp.diagonal(a).mean(), tiny) / jnp.maximum(jnp.diagonal(s).mean(), tiny)
    return jnp.sqrt(ratio) * damping, damping / jnp.sqrt(ratio)


def damped_inverse(factor: Array, damping: Array) -> Array:
    """(F + d I)^-1 by Cholesky decomposition; NaN if the decomposition fails."""
    identity = jnp.eye(len(factor), dtype=factor.dtype)
    inverse: Array = cho_solve((jnp.linalg.cholesky(factor + damping * identity), True), identity)
    return inverse
