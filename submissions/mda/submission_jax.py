"""Modernised dual averaging in JAX, as an optax transformation; see `submission.py`."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common import schedules
from submissions.common.transformations_jax import Arrays, Factor, stateful_with_factor


class MdaState(NamedTuple):
    """Step count, the parameters at the start, and z - x_0."""

    step: jax.Array
    start: Arrays
    displacement: Arrays


def mda(point: Hyperparameters) -> optax.GradientTransformationExtraArgs:
    """The whole update; its argument `factor` is the schedule's.

    Args:
        point: `learning_rate`, `momentum` and `weight_decay`.
    """
    rho, decay = point["momentum"], point["weight_decay"]

    def init(params: Arrays) -> MdaState:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return MdaState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.copy, params), zeros)

    def update(
        updates: Arrays, state: MdaState, params: Arrays, factor: Factor
    ) -> tuple[Arrays, MdaState]:
        count, rate = state.step + 1, point["learning_rate"] * factor
        scale = jnp.sqrt((count - 1) / count)
        displacement = jax.tree.map(
            lambda z, g, w: scale * z - rate * (g + decay * w), state.displacement, updates, params
        )
        changes = jax.tree.map(
            lambda z, a, w: (1 - rho) * (a + z - w), displacement, state.start, params
        )
        return changes, MdaState(count, state.start, displacement)

    return stateful_with_factor(init, update)


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """MDA on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    return Built(
        mda(hyperparameters),
        schedules.from_hyperparameters(hyperparameters),
        takes_factor=True,
        keeps_iterates=True,
    )
