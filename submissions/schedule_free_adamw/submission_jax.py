"""Schedule-free AdamW through `optax.contrib`; see `submission.py` for the update.

The averaging weights use the scheduled learning rate, warmup included.
"""

from __future__ import annotations

import jax
import optax

from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common.schedule_free_jax import schedule_free
from submissions.common.transformations_jax import Factor


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """Schedule-free AdamW on all parameters; the average x is evaluated."""
    del problem  # optax receives the parameters in `init`

    def at_rate(rate: Factor) -> optax.GradientTransformationExtraArgs:
        return optax.contrib.schedule_free_adamw(
            rate,
            b1=hyperparameters["beta1"],
            b2=hyperparameters["beta2"],
            eps=hyperparameters["epsilon"],
            weight_decay=hyperparameters["weight_decay"],
        )

    return schedule_free(at_rate, hyperparameters)
