"""D-Adaptation for Adam in JAX, as an optax transformation; see `submission.py` for the update.

At a learning rate of zero, or before the first gradient, state and parameters stay as they are.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common import schedules
from submissions.common.transformations_jax import Arrays, Factor, stateful_with_factor


class DAdaptationState(NamedTuple):
    """Step count, the estimate d, the numerator r, and m, v and s of every parameter."""

    step: jax.Array
    estimate: jax.Array
    numerator: jax.Array
    first: Arrays
    second: Arrays
    total: Arrays


def d_adaptation(point: Hyperparameters) -> optax.GradientTransformationExtraArgs:
    """The whole update; its argument `factor` is the schedule's.

    Args:
        point: `learning_rate`, `beta1`, `beta2`, `epsilon`, `weight_decay`, `first_estimate`,
            `growth` and `bias_correction`.
    """
    beta1, beta2, epsilon = point["beta1"], point["beta2"], point["epsilon"]
    b = beta2**0.5

    def init(params: Arrays) -> DAdaptationState:
        zeros = jax.tree.map(jnp.zeros_like, params)
        estimate = jnp.asarray(point["first_estimate"], jnp.float32)
        count, numerator = jnp.zeros((), jnp.int32), jnp.zeros(())
        return DAdaptationState(count, estimate, numerator, zeros, zeros, zeros)

    def normalise(values: Arrays, second: Arrays) -> Arrays:
        ratios: Arrays = jax.tree.map(lambda x, v: x / (jnp.sqrt(v) + epsilon), values, second)
        return ratios

    def update(
        updates: Arrays, state: DAdaptationState, params: Arrays, factor: Factor
    ) -> tuple[Arrays, DAdaptationState]:
        t = state.step + 1
        rate = point["learning_rate"] * factor * state.estimate
        if point["bias_correction"]:
            rate = rate * jnp.sqrt(1 - beta2**t) / (1 - beta1**t)
        correlation = optax.tree.vdot(updates, normalise(state.total, state.second))
        first = jax.tree.map(lambda m, g: beta1 * m + (1 - beta1) * rate * g, state.first, updates)
        second = jax.tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, state.second, updates)
        total = jax.tree.map(lambda s, g: b * s + (1 - b) * rate * g, state.total, updates)
        numerator = b * state.numerator + (1 - b) * rate * correlation
        size = optax.tree.norm(total, ord=1)
        candidate = numerator / ((1 - b) * size)
        most = jnp.minimum(candidate, state.estimate * point["growth"])
        new_state = DAdaptationState(
            t, jnp.maximum(state.estimate, most), numerator, first, second, total
        )
        steps, decay = normalise(first, second), rate * point["weight_decay"]
        changes = jax.tree.map(lambda s, w: -s - decay * w, steps, params)
        # the estimate would be 0 / 0, and the NaN would stay in the state
        stays = (factor == 0.0) | (size == 0.0)
        changes = jax.tree.map(lambda change: jnp.where(stays, 0.0, change), changes)
        return changes, jax.tree.map(lambda n, o: jnp.where(stays, o, n), new_state, state)

    return stateful_with_factor(init, update)


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """D-Adaptation on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    return Built(
        d_adaptation(hyperparameters),
        schedules.from_hyperparameters(hyperparameters),
        takes_factor=True,
    )
