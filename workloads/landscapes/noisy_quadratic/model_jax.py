"""The noisy quadratic in JAX; see `model.py` for the definition."""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp

from workloads.functional_jax import Call, Forward, Pass, pure
from workloads.landscapes.noisy_quadratic.model import QuadraticSizes, validate
from workloads.spec import Sizes


def build(sizes: Sizes) -> Forward:
    """Noise (batch, dimensions) to residuals of the same shape."""
    return pure(partial(_forward, validate(sizes)))


def _forward(sizes: QuadraticSizes, call: Call) -> Pass:
    distances = call.parameters["point"] - sizes.noise_scales * call.inputs
    return call.gives(jnp.asarray(sizes.weights) * distances)
