"""Lion through `optax.lion`; see `submission.py` for the update."""

from __future__ import annotations

import jax
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.signs_jax import expose_infinities


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """Lion on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    transformation = optax.chain(
        expose_infinities(),  # of which optax's sign would be 1
        optax.lion(
            hyperparameters["learning_rate"],
            b1=hyperparameters["beta1"],
            b2=hyperparameters["beta2"],
            weight_decay=hyperparameters["weight_decay"],
        ),
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
