"""SWATS in JAX, as an optax transformation; see `submission.py` for the update.

Deviations from `submission.py`: the switch follows the source's test alone (`switch_at` and
`plateau_steps` must be 0), and both phases' states are kept throughout.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.core.errors import HarnessError
from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common import schedules
from submissions.common.transformations_jax import Arrays, Factor, stateful_with_factor

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""Adam's rule fits before the switch and SGD's after it, and the switch cannot be predicted."""


class SwatsState(NamedTuple):
    """Adam's step count and moments, the running mean of gamma, Lambda (0 before) and u."""

    step: jax.Array
    average: jax.Array
    rate: jax.Array
    first: Arrays
    second: Arrays
    velocity: Arrays


def swats(point: Hyperparameters) -> optax.GradientTransformationExtraArgs:
    """The whole update; its argument `factor` is the schedule's.

    Args:
        point: `learning_rate`, `beta1`, `beta2`, `epsilon`, `weight_decay`, `switch_tolerance` and
            `sgd_learning_rate`.
    """
    beta1 = point["beta1"]

    def init(params: Arrays) -> SwatsState:
        zeros, number = jax.tree.map(jnp.zeros_like, params), jnp.zeros(())
        return SwatsState(jnp.zeros((), jnp.int32), number, number, zeros, zeros, zeros)

    def sgd(gradients: Arrays, state: SwatsState) -> tuple[Arrays, SwatsState]:
        velocity = jax.tree.map(lambda u, g: beta1 * u + g, state.velocity, gradients)
        steps = jax.tree.map(lambda u: -(1 - beta1) * state.rate * u, velocity)
        return steps, state._replace(velocity=velocity)

    def adam(gradients: Arrays, state: SwatsState) -> tuple[Arrays, SwatsState]:
        return _adam(gradients, state, point)

    def update(
        updates: Arrays, state: SwatsState, params: Arrays, factor: Factor
    ) -> tuple[Arrays, SwatsState]:
        decay = point["weight_decay"]
        gradients = jax.tree.map(lambda g, w: g + decay * w, updates, params)
        steps, new = jax.lax.cond(state.rate > 0.0, sgd, adam, gradients, state)
        return jax.tree.map(lambda step: factor * step, steps), new

    return stateful_with_factor(init, update)


def _adam(
    gradients: Arrays, state: SwatsState, point: Hyperparameters
) -> tuple[Arrays, SwatsState]:
    """Adam's step p at the base rate, and Lambda where it is time to switch."""
    beta1, beta2, count = point["beta1"], point["beta2"], state.step + 1
    first = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, state.first, gradients)
    second = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, state.second, gradients)
    scale = -point["learning_rate"] * jnp.sqrt(1 - beta2**count) / (1 - beta1**count)
    steps = jax.tree.map(lambda m, v: scale * m / (jnp.sqrt(v) + point["epsilon"]), first, second)
    descent = -jnp.asarray(optax.tree.vdot(steps, gradients))
    gamma = optax.tree.norm(steps, squared=True) / descent
    average = beta2 * state.average + (1 - beta2) * gamma
    average = jnp.where(descent == 0.0, state.average, average)
    mean = average / (1 - beta2**count)
    is_time = (count > 1) & (jnp.abs(mean - gamma) < point["switch_tolerance"])
    rate = point["sgd_learning_rate"] or mean
    sgd_rate = jnp.where(is_time & (rate > 0.0), rate, 0.0)
    return steps, SwatsState(count, average, sgd_rate, first, second, state.velocity)


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """SWATS on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    for name in ("switch_at", "plateau_steps"):
        if hyperparameters[name]:
            raise HarnessError(f"{name} is {hyperparameters[name]}", "allowed in jax: 0")
    return Built(
        swats(hyperparameters),
        schedules.from_hyperparameters(hyperparameters),
        takes_factor=True,
    )
