"""RMSProp through `optax.rmsprop`; see `submission.py` for the update."""

from __future__ import annotations

import jax
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.precision_jax import bound_gradients


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """RMSProp on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    transformation = optax.chain(
        bound_gradients(2),
        optax.add_decayed_weights(hyperparameters["weight_decay"]),
        optax.rmsprop(
            hyperparameters["learning_rate"],
            decay=hyperparameters["beta"],
            eps=hyperparameters["epsilon"],
            momentum=hyperparameters["momentum"] or None,
            eps_in_sqrt=False,
        ),
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
