"""Prodigy through `optax.contrib`; see `submission.py` for the update.

The schedule's factor is eta_t and enters both the estimate and the step. optax always applies the
bias correction; a point without it is refused.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

from harness.core.errors import HarnessError
from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common import schedules


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """Prodigy on all parameters, with its schedule.

    Raises:
        HarnessError: `bias_correction` is false.
    """
    del problem  # optax receives the parameters in `init`
    if not hyperparameters["bias_correction"]:
        raise HarnessError(
            "bias_correction is false, and optax's Prodigy corrects",
            "run it in torch: --framework torch",
        )

    def at_rate(rate: Any) -> optax.GradientTransformationExtraArgs:
        return optax.contrib.prodigy(
            rate,
            betas=(hyperparameters["beta1"], hyperparameters["beta2"]),
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
        updates, moved = at_rate(rate).update(updates, state, params)
        # At a learning rate of zero the estimate is 0 / 0, and the NaN would stay in the state.
        updates = jax.tree.map(lambda change: jnp.where(rate > 0.0, change, 0.0), updates)
        return updates, jax.tree.map(lambda n, o: jnp.where(rate > 0.0, n, o), moved, state)

    return Built(
        optax.GradientTransformationExtraArgs(at_rate(base).init, update),
        schedules.from_hyperparameters(hyperparameters),
        takes_factor=True,
    )
