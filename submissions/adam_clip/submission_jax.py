"""Adam-Clip in JAX, as an optax transformation; see `submission.py` for the update."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.core.errors import HarnessError
from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.transformations_jax import Arrays, stateful

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""Where a bound is active, a step's size is SGD's, elsewhere Adam's."""


class AdamClipState(NamedTuple):
    """Step count, and the averages of gradients and of their squares."""

    step: jax.Array
    means: Arrays
    squares: Arrays


def adam_clip(point: Hyperparameters) -> optax.GradientTransformation:
    """The whole update at the schedule's factor 1, by which all of it is multiplied.

    Args:
        point: `learning_rate`, `sgd_learning_rate`, `lower`, `upper`, `beta1`, `beta2`, `epsilon`
            and `weight_decay`.
    """
    beta1, beta2, rate = point["beta1"], point["beta2"], point["learning_rate"]
    low, high = (point[name] * point["sgd_learning_rate"] for name in ("lower", "upper"))

    def init(params: Arrays) -> AdamClipState:
        zeros = {name: jnp.zeros_like(value) for name, value in params.items()}
        return AdamClipState(jnp.zeros((), jnp.int32), zeros, zeros)

    def update(
        updates: Arrays, state: AdamClipState, params: Arrays
    ) -> tuple[Arrays, AdamClipState]:
        step, means, squares, moves = state.step + 1, Arrays(), Arrays(), Arrays()
        correction = jnp.sqrt(1.0 - beta2**step) / (1.0 - beta1**step)
        for name, update in updates.items():
            gradient = update + point["weight_decay"] * params[name]
            means[name] = beta1 * state.means[name] + (1.0 - beta1) * gradient
            squares[name] = beta2 * state.squares[name] + (1.0 - beta2) * gradient * gradient
            sizes = rate * correction / (jnp.sqrt(squares[name]) + point["epsilon"])
            moves[name] = -jnp.clip(sizes, low, high) * means[name]
        return moves, AdamClipState(step, means, squares)

    return stateful(init, update)


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """The method on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    low, high = float(hyperparameters["lower"]), float(hyperparameters["upper"])
    if not 0.0 <= low <= high:
        raise HarnessError(f"lower is {low}, upper {high}", "allowed: 0 <= lower <= upper")
    return adam_clip(hyperparameters), schedules.from_hyperparameters(hyperparameters)
