"""Schedule-free SGD through `optax.contrib`; see `submission.py` for the update.

The averaging weights use the scheduled learning rate, warmup included.
"""

from __future__ import annotations

from typing import Any

import jax
import optax

from harness.core.errors import HarnessError
from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common import schedules


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """Schedule-free SGD on all parameters; the average x is evaluated."""
    del problem  # optax receives the parameters in `init`
    base, beta = hyperparameters["learning_rate"], hyperparameters["momentum"]
    if not 0.0 < beta <= 1.0:
        raise HarnessError(f"schedule-free momentum is {beta}", "allowed: 0 < beta <= 1")

    def at_rate(rate: Any) -> optax.GradientTransformationExtraArgs:
        return optax.contrib.schedule_free_sgd(
            rate, b1=beta, weight_decay=hyperparameters["weight_decay"]
        )

    def update(
        updates: Any, state: Any, params: Any = None, *, factor: Any = 1.0, **extra: Any
    ) -> Any:
        del extra  # only line searches use it
        return at_rate(base * factor).update(updates, state, params)

    return Built(
        optax.GradientTransformationExtraArgs(at_rate(base).init, update),
        schedules.from_hyperparameters(hyperparameters),
        eval_parameters=optax.contrib.schedule_free_eval_params,
        takes_factor=True,
    )
