"""AdamS in JAX, as an optax transformation; see `submission.py` for the update."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common import schedules
from submissions.common.precision_jax import bound_gradients
from submissions.common.transformations_jax import Arrays, Factor, stateful_with_factor


class AdamsState(NamedTuple):
    """The state of `optax.scale_by_adam`, the step count and the mean of v over all entries."""

    adam: optax.OptState
    step: jax.Array
    mean_square: jax.Array


def adams(point: Hyperparameters) -> optax.GradientTransformationExtraArgs:
    """The whole update; its argument `factor` is the schedule's.

    Args:
        point: `learning_rate`, `beta1`, `beta2`, `epsilon` and `weight_decay`.
    """
    beta2, epsilon = point["beta2"], point["epsilon"]
    adam = optax.scale_by_adam(b1=point["beta1"], b2=beta2, eps=epsilon)

    def init(params: Arrays) -> AdamsState:
        return AdamsState(adam.init(params), jnp.zeros((), jnp.int32), jnp.zeros(()))

    def update(
        updates: Arrays, state: AdamsState, params: Arrays, factor: Factor
    ) -> tuple[Arrays, AdamsState]:
        rate, count = point["learning_rate"] * factor, state.step + 1
        now = optax.tree.norm(updates, squared=True) / optax.tree.size(updates)
        mean_square = beta2 * state.mean_square + (1 - beta2) * now
        size = jnp.sqrt(mean_square / (1 - beta2**count))
        shrink = jnp.minimum(rate * point["weight_decay"] / (size + epsilon), 1.0)
        shrink = jnp.where(now > 0.0, shrink, 0.0)
        steps, moments = adam.update(updates, state.adam, params)
        changes = jax.tree.map(lambda s, w: -rate * s - shrink * w, steps, params)
        return changes, AdamsState(moments, count, mean_square)

    return stateful_with_factor(init, update)


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """AdamS on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    return Built(
        optax.chain(bound_gradients(), adams(hyperparameters)),
        schedules.from_hyperparameters(hyperparameters),
        takes_factor=True,
    )
