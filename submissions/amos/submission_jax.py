"""Amos in JAX; see `submission.py` for the update.

The schedule's factor multiplies the rate inside the update, because a step is not proportional to
the rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.amos.sizes import expected_size
from submissions.common import schedules
from submissions.common.precision_jax import bound_gradients
from submissions.common.transformations_jax import Arrays, Factor, stateful_with_factor
from workloads.parameters import ParameterSpec

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""None: each weight's expected size already scales its step with width."""
LEAST = 2.0**-125
"""A lower bound on v, as in the source."""


class AmosState(NamedTuple):
    """Step count, momenta, and of each row or vector the second moment v and b."""

    step: jax.Array
    momenta: Arrays
    second: Arrays
    decay_sum: Arrays


def amos(
    specs: Mapping[str, ParameterSpec], point: Hyperparameters
) -> optax.GradientTransformationExtraArgs:
    """The whole update of a dictionary of parameters, learning rate included."""
    beta, mu = point["beta"], point["momentum"]

    def init(params: Arrays) -> AmosState:
        zeros = jax.tree.map(jnp.zeros_like, params)
        rows = jax.tree.map(_mean_square, zeros)
        return AmosState(jnp.zeros((), jnp.int32), zeros, rows, rows)

    def update(
        updates: Arrays, state: AmosState, params: Arrays, factor: Factor
    ) -> tuple[Arrays, AmosState]:
        rate, step = point["learning_rate"] * factor, state.step + 1
        squares = jax.tree.map(_mean_square, updates)
        second = jax.tree.map(lambda v, s: beta * v + (1 - beta) * s, state.second, squares)
        momenta, decay_sum = {}, {}
        for name, spec in specs.items():
            b, length = state.decay_sum[name], rate * expected_size(spec)
            inverse = (1 - beta**step) / jnp.maximum(second[name], LEAST)
            decay = inverse * squares[name] * rate**2 / jnp.sqrt(1 + 0.25 * rate**0.5 * b)
            change = length * jnp.sqrt(inverse) * updates[name] + decay / 2 * params[name]
            change = change / (1 + 0.25 * length**0.5 * b)
            momenta[name] = mu * state.momenta[name] + (1 - mu) * change
            decay_sum[name] = b + decay * (1 + b)
        changes = jax.tree.map(jnp.negative, momenta)
        return changes, AmosState(step, momenta, second, decay_sum)

    return stateful_with_factor(init, update)


def _mean_square(gradient: jax.Array) -> jax.Array:
    """The mean square of each row, or of a whole vector, shaped to be broadcast."""
    dims = tuple(range(1, gradient.ndim)) or (0,)
    return (gradient**2).mean(dims, keepdims=True)


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """Amos on all parameters, with its schedule."""
    schedule = schedules.from_hyperparameters(hyperparameters)
    transformation = optax.chain(bound_gradients(), amos(problem.specs, hyperparameters))
    return Built(transformation, schedule, takes_factor=True)
