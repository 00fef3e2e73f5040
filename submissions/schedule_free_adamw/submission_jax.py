"""Schedule-free AdamW through `optax.contrib`; see `submission.py` for the update.

The averaging weights use the scheduled learning rate, warmup included.
"""

from __future__ import annotations

from typing import cast

import jax
import optax

from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common.precision_jax import bound_gradient
from submissions.common.schedule_free_jax import schedule_free
from submissions.common.transformations_jax import Arrays, Factor, stateful_with_factor


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """Schedule-free AdamW on all parameters; the average x is evaluated."""
    del problem  # optax receives the parameters in `init`

    def at_rate(rate: Factor) -> optax.GradientTransformationExtraArgs:
        inner = optax.contrib.schedule_free_adamw(
            rate,
            b1=hyperparameters["beta1"],
            b2=hyperparameters["beta2"],
            eps=hyperparameters["epsilon"],
            weight_decay=hyperparameters["weight_decay"],
        )

        def update(
            updates: Arrays, state: optax.OptState, params: Arrays, factor: Factor
        ) -> tuple[Arrays, optax.OptState]:
            del factor  # the rate has it
            bounded = {name: bound_gradient(g, 2) for name, g in updates.items()}
            steps, state = inner.update(bounded, state, params)
            return cast("Arrays", steps), state

        return stateful_with_factor(inner.init, update)

    return schedule_free(at_rate, hyperparameters)
