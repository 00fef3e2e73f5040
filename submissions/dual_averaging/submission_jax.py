"""Dual averaging in JAX, as an optax transformation; see `submission.py` for the update."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common import schedules
from submissions.common.transformations_jax import Arrays, Factor, stateful_with_factor


class DualAveragingState(NamedTuple):
    """Step count, the parameters at the start, and the sum of all gradients."""

    step: jax.Array
    start: Arrays
    total: Arrays


def dual_averaging(rate: float, decay: float) -> optax.GradientTransformationExtraArgs:
    """The whole update; its argument `factor` is the schedule's."""

    def init(params: Arrays) -> DualAveragingState:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return DualAveragingState(jnp.zeros((), jnp.int32), jax.tree.map(jnp.copy, params), zeros)

    def update(
        updates: Arrays, state: DualAveragingState, params: Arrays, factor: Factor
    ) -> tuple[Arrays, DualAveragingState]:
        count = state.step + 1
        total = jax.tree.map(lambda s, g, w: s + g + decay * w, state.total, updates, params)
        length = rate * factor / jnp.sqrt(count)
        changes = jax.tree.map(lambda a, s, w: a - length * s - w, state.start, total, params)
        return changes, DualAveragingState(count, state.start, total)

    return stateful_with_factor(init, update)


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """Dual averaging on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    return Built(
        dual_averaging(hyperparameters["learning_rate"], hyperparameters["weight_decay"]),
        schedules.from_hyperparameters(hyperparameters),
        takes_factor=True,
        keeps_iterates=True,
    )
