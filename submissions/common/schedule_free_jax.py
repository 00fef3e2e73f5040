"""Schedule-free methods of `optax.contrib` under a schedule, which their averages follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import optax

from harness.submission.interface import Built, Hyperparameters
from submissions.common import schedules
from submissions.common.transformations_jax import Arrays, Factor, stateful_with_factor


def schedule_free(
    at_rate: Callable[[Factor], optax.GradientTransformationExtraArgs],
    hyperparameters: Hyperparameters,
) -> Built:
    """A method whose learning rate is scheduled, and whose average x is evaluated.

    Args:
        at_rate: the method at a learning rate, which may be traced.
        hyperparameters: `learning_rate`, and the schedule's.
    """
    base = hyperparameters["learning_rate"]

    def update(
        updates: Arrays, state: optax.OptState, params: Arrays, factor: Factor
    ) -> tuple[Arrays, optax.OptState]:
        steps, state = at_rate(base * factor).update(updates, state, params)
        return cast("Arrays", steps), state

    return Built(
        stateful_with_factor(at_rate(base).init, update),
        schedules.from_hyperparameters(hyperparameters),
        eval_parameters=optax.contrib.schedule_free_eval_params,
        takes_factor=True,
    )
