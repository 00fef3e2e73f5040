"""Modernised dual averaging in JAX, as an optax transformation; see `submission.py`."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common import schedules


class MdaState(NamedTuple):
    """Step count, the parameters at the start, and z - x_0."""

    step: jax.Array
    start: Any
    displacement: Any


def mda(point: Hyperparameters) -> optax.GradientTransformationExtraArgs:
    """The whole update; its argument `factor` is the schedule's.

    Args:
        point: `learning_rate`, `momentum` and `weight_decay`.
    """
    rho, decay = point["momentum"], point["weight_decay"]

    def init(params: Any) -> MdaState:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return MdaState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.copy, params), zeros)

    def update(
        updates: Any, state: Any, params: Any = None, *, factor: Any = 1.0, **extra: Any
    ) -> tuple[Any, MdaState]:
        del extra  # only line searches use it
        count, rate = state.step + 1, point["learning_rate"] * factor
        kept = jnp.sqrt((count - 1) / count)
        displacement = jax.tree.map(
            lambda z, g, w: kept * z - rate * (g + decay * w), state.displacement, updates, params
        )
        changes = jax.tree.map(
            lambda z, a, w: (1 - rho) * (a + z - w), displacement, state.start, params
        )
        return changes, MdaState(count, state.start, displacement)

    return optax.GradientTransformationExtraArgs(init, update)


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """MDA on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    return Built(
        mda(hyperparameters),
        schedules.from_hyperparameters(hyperparameters),
        takes_factor=True,
        keeps_iterates=True,
    )
