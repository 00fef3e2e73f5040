"""The Rosenbrock function in JAX; see `model.py` for the definition."""

from __future__ import annotations

import math
from functools import partial

import jax.numpy as jnp

from workloads.functional_jax import Call, Forward, Pass, pure
from workloads.landscapes.rosenbrock.model import RosenbrockSizes, validate
from workloads.spec import Sizes


def build(sizes: Sizes) -> Forward:
    """Empty inputs (batch, 0) to the residuals at the point, (batch, 2)."""
    return pure(partial(_forward, validate(sizes)))


def _forward(sizes: RosenbrockSizes, call: Call) -> Pass:
    x = sizes.start[0] + call.parameters["displacement"][0, 0]
    y = sizes.start[1] + call.parameters["displacement"][0, 1]
    residuals = jnp.stack((1.0 - x, math.sqrt(sizes.steepness) * (y - jnp.square(x))))
    return call.gives(jnp.broadcast_to(math.sqrt(2.0) * residuals, (len(call.inputs), 2)))
