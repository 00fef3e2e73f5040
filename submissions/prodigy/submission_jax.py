"""Prodigy through `optax.contrib`; see `submission.py` for the update.

The schedule's factor is eta_t and enters both the estimate and the step. optax always multiplies
eta_t by the bias correction; without `bias_correction` it is divided by it first. Before the first
gradient, where optax's estimate would be 0 / 0, state and parameters stay as they are.
"""

from __future__ import annotations

from typing import cast

import jax
import jax.numpy as jnp
import optax
from optax.contrib import ProdigyState

from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common import schedules
from submissions.common.transformations_jax import Arrays, Factor, stateful_with_factor


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """Prodigy on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    beta1, beta2 = hyperparameters["beta1"], hyperparameters["beta2"]

    def at_rate(rate: Factor) -> optax.GradientTransformationExtraArgs:
        return optax.contrib.prodigy(
            rate,
            betas=(beta1, beta2),
            eps=hyperparameters["epsilon"],
            estim_lr0=hyperparameters["first_estimate"],
            estim_lr_coef=hyperparameters["coefficient"],
            weight_decay=hyperparameters["weight_decay"],
            safeguard_warmup=hyperparameters["safeguard_warmup"],
        )

    base = hyperparameters["learning_rate"]

    def init(params: Arrays) -> ProdigyState:
        return cast("ProdigyState", at_rate(base).init(params))

    def update(
        updates: Arrays, state: ProdigyState, params: Arrays, factor: Factor
    ) -> tuple[Arrays, ProdigyState]:
        rate = jnp.asarray(base * factor)
        if not hyperparameters["bias_correction"]:
            t = state.count + 1
            rate = rate * (1 - beta1**t) / (1 - beta2**t) ** 0.5
        changes, after = at_rate(rate).update(updates, state, params)
        new_state = cast("ProdigyState", after)
        # At a learning rate of zero, or before any gradient, the estimate is 0 / 0, and the NaN
        # would stay in the state.
        stays = (rate == 0.0) | (optax.tree.norm(new_state.grad_sum, ord=1) == 0.0)
        changes = jax.tree.map(lambda change: jnp.where(stays, 0.0, change), changes)
        return changes, jax.tree.map(lambda n, o: jnp.where(stays, o, n), new_state, state)

    return Built(
        stateful_with_factor(init, update),
        schedules.from_hyperparameters(hyperparameters),
        takes_factor=True,
    )
