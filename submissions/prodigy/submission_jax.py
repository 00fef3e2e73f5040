"""Prodigy through `optax.contrib`; see `submission.py` for the update.

The schedule's factor is eta_t and enters both the estimate and the step. optax always multiplies
eta_t by the bias correction; without `bias_correction` it is divided by it first. Before the first
gradient, where optax's estimate would be 0 / 0, state and parameters stay as they are.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common import schedules


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """Prodigy on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    beta1, beta2 = hyperparameters["beta1"], hyperparameters["beta2"]

    def at_rate(rate: Any) -> optax.GradientTransformationExtraArgs:
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

    def update(
        updates: Any, state: Any, params: Any = None, *, factor: Any = 1.0, **extra: Any
    ) -> Any:
        del extra  # only line searches use it
        rate = jnp.asarray(base * factor)
        if not hyperparameters["bias_correction"]:
            t = state.count + 1
            rate = rate * (1 - beta1**t) / (1 - beta2**t) ** 0.5
        moved: Any
        updates, moved = at_rate(rate).update(updates, state, params)
        # At a learning rate of zero, or before any gradient, the estimate is 0 / 0, and the NaN
        # would stay in the state.
        stays = (rate == 0.0) | (optax.tree.norm(moved.grad_sum, ord=1) == 0.0)
        updates = jax.tree.map(lambda change: jnp.where(stays, 0.0, change), updates)
        return updates, jax.tree.map(lambda n, o: jnp.where(stays, o, n), moved, state)

    return Built(
        optax.GradientTransformationExtraArgs(at_rate(base).init, update),
        schedules.from_hyperparameters(hyperparameters),
        takes_factor=True,
    )
