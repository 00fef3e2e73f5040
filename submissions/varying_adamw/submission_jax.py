"""AdamW with betas that may change, in JAX; see `submission.py` for the update."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.transformations_jax import Arrays, stateful


class VaryingAdamWState(NamedTuple):
    """The averages of gradients and of their squares, and the sums of the weights in them."""

    means: Arrays
    squares: Arrays
    mean_weight: jax.Array
    square_weight: jax.Array


def varying_adam(beta1: float, beta2: float, epsilon: float) -> optax.GradientTransformation:
    """Adam's direction, with averages divided by the weights that are in them."""

    def init(params: Arrays) -> VaryingAdamWState:
        zeros = {name: jnp.zeros_like(value) for name, value in params.items()}
        return VaryingAdamWState(zeros, zeros, jnp.zeros(()), jnp.zeros(()))

    def update(
        updates: Arrays, state: VaryingAdamWState, params: Arrays
    ) -> tuple[Arrays, VaryingAdamWState]:
        del params
        means = {n: beta1 * state.means[n] + (1.0 - beta1) * g for n, g in updates.items()}
        squares = {n: beta2 * state.squares[n] + (1.0 - beta2) * g * g for n, g in updates.items()}
        mean_weight = beta1 * state.mean_weight + (1.0 - beta1)
        square_weight = beta2 * state.square_weight + (1.0 - beta2)
        directions = {
            n: (means[n] / mean_weight) / (jnp.sqrt(squares[n]) / jnp.sqrt(square_weight) + epsilon)
            for n in updates
        }
        return directions, VaryingAdamWState(means, squares, mean_weight, square_weight)

    return stateful(init, update)


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """The method on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    transformation = optax.chain(
        varying_adam(
            hyperparameters["beta1"], hyperparameters["beta2"], hyperparameters["epsilon"]
        ),
        optax.add_decayed_weights(hyperparameters["weight_decay"]),
        optax.scale_by_learning_rate(hyperparameters["learning_rate"]),
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
