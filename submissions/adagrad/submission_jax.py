"""Diagonal AdaGrad in JAX; see `submission.py` for the update.

`optax.adagrad` differs: it has epsilon under the root.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules


def scale_by_sum_of_squares(initial: float, epsilon: float) -> optax.GradientTransformation:
    """Divide gradients by sqrt(v) + epsilon; the state is v."""

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        del params
        sums = jax.tree.map(lambda v, g: v + g**2, state, updates)
        steps = jax.tree.map(lambda g, v: g / (jnp.sqrt(v) + epsilon), updates, sums)
        return steps, sums

    return optax.GradientTransformation(
        lambda params: jax.tree.map(lambda w: jnp.full_like(w, initial), params), update
    )


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """AdaGrad on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    transformation = optax.chain(
        optax.add_decayed_weights(hyperparameters["weight_decay"]),
        scale_by_sum_of_squares(hyperparameters["initial_accumulator"], hyperparameters["epsilon"]),
        optax.scale_by_learning_rate(hyperparameters["learning_rate"]),
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
