"""Polar factors and dual maps in JAX; `dual_maps` states the norms and their duals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import jax
import jax.numpy as jnp

from harness.submission.interface import Hyperparameters
from submissions.common.norms import POLISH, SPECTRAL
from submissions.common.precision_jax import bound_gradient
from submissions.common.signs_jax import signs
from submissions.common.transformations_jax import Arrays
from submissions.muon.submission_jax import as_matrices, orthogonalise
from workloads.parameters import ParameterSpec

ITERATION = {"norm": "tight", "coefficients": "polar_express", "newton_schulz_steps": 4}
"""The iteration of `dual_maps.polar`."""
TINY = 1.1754944e-38**0.5
"""The root of the smallest normal float32."""
Parts = dict[str, list[jax.Array]]


def matrices(values: Mapping[str, jax.Array], specs: Mapping[str, ParameterSpec]) -> Parts:
    """The matrices of every value: kernels flattened, fused ones apart."""
    return {n: as_matrices(values[n].reshape(len(values[n]), -1), s) for n, s in specs.items()}


def polar(
    values: Mapping[str, jax.Array], specs: dict[str, ParameterSpec], point: Hyperparameters
) -> Parts:
    """The polar factors of every value's matrices.

    Args:
        values: arrays (out, ...), of which those in `specs` are read.
        specs: of the parameters whose polar factors are wanted.
        point: `momentum`, `matmul_dtype` and `polish`, as for `dual_maps.polar`.
    """
    orthogonalisation = orthogonalise(specs, {"scaling": "thesis", **point, **ITERATION})
    own = {name: bound_gradient(values[name]) for name in specs}
    orthogonal = cast("Arrays", orthogonalisation.update(own, orthogonalisation.init(own))[0])
    parts = matrices(orthogonal, specs)
    return {n: [_polish(x, point["polish"]) for x in part] for n, part in parts.items()}


def _polish(x: jax.Array, iterations: int) -> jax.Array:
    a, b, c = POLISH
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x
    for _ in range(iterations):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if is_tall else x


def duals(
    values: Mapping[str, jax.Array],
    specs: Mapping[str, ParameterSpec],
    norms: Mapping[str, str],
    point: Hyperparameters,
) -> dict[str, jax.Array]:
    """Map every value to its dual under its norm, as `dual_maps.duals` with kernels reshaped.

    Args:
        values: gradients or momenta.
        specs: of all of them.
        norms: the norm of each, one of `norms.OF_MATRICES`.
        point: as for `polar`.
    """
    spectral = {name: spec for name, spec in specs.items() if norms[name] in SPECTRAL}
    factors, output = polar(values, spectral, point), {}
    for name, norm in norms.items():
        if norm not in SPECTRAL:
            output[name] = _entrywise(bound_gradient(values[name]), norm)
            continue
        power = 0.5 if norm == "rms_to_rms" else 0.0
        scaled_factors = [x * (x.shape[0] / x.shape[1]) ** power for x in factors[name]]
        output[name] = jnp.concatenate(scaled_factors).reshape(values[name].shape)
    return output


def _entrywise(value: jax.Array, norm: str) -> jax.Array:
    if norm == "largest":
        return signs(value)
    if norm == "rows":
        rows = value.reshape(len(value), -1)
        sizes = jnp.sqrt((rows**2).mean(-1, keepdims=True))
        return (rows / jnp.maximum(sizes, TINY)).reshape(value.shape)
    return value / jnp.maximum(jnp.sqrt((value**2).mean()), TINY)
