"""Stochastic gradient descent with momentum through optax; see `submission.py` for the update."""

from __future__ import annotations

import jax
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """SGD with momentum on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    transformation = optax.chain(
        optax.add_decayed_weights(hyperparameters["weight_decay"]),
        optax.sgd(
            hyperparameters["learning_rate"],
            momentum=hyperparameters["momentum"],
            nesterov=hyperparameters["nesterov"],
        ),
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
