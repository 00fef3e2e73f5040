"""NAdamW through `optax.nadamw`; see `submission.py` for the update."""

from __future__ import annotations

import jax
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.precision_jax import bound_gradients


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """NAdamW on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    transformation = optax.chain(
        bound_gradients(2),
        optax.nadamw(
            hyperparameters["learning_rate"],
            b1=hyperparameters["beta1"],
            b2=hyperparameters["beta2"],
            eps=hyperparameters["epsilon"],
            weight_decay=hyperparameters["weight_decay"],
        ),
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
