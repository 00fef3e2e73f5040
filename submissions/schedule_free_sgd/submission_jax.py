"""Schedule-free SGD through `optax.contrib`; see `submission.py` for the update.

The averaging weights use the scheduled learning rate, warmup included.
"""

from __future__ import annotations

import jax
import optax

from harness.core.errors import HarnessError
from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common.schedule_free_jax import schedule_free
from submissions.common.transformations_jax import Factor


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """Schedule-free SGD on all parameters; the average x is evaluated."""
    del problem  # optax receives the parameters in `init`
    beta = hyperparameters["momentum"]
    if not 0.0 < beta <= 1.0:
        raise HarnessError(f"schedule-free momentum is {beta}", "allowed: 0 < beta <= 1")

    def at_rate(rate: Factor) -> optax.GradientTransformationExtraArgs:
        return optax.contrib.schedule_free_sgd(
            rate, b1=beta, weight_decay=hyperparameters["weight_decay"]
        )

    return schedule_free(at_rate, hyperparameters)
