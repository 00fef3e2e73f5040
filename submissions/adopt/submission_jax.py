"""ADOPT through `optax.contrib`; see `submission.py` for the update."""

from __future__ import annotations

import jax
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.signs_jax import expose_infinities


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """ADOPT on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    transformation = optax.chain(
        expose_infinities(),  # which optax's clip would hide
        optax.contrib.scale_by_adopt(
            b1=hyperparameters["beta1"],
            b2=hyperparameters["beta2"],
            eps=hyperparameters["epsilon"],
        ),
        optax.add_decayed_weights(hyperparameters["weight_decay"]),
        optax.scale_by_learning_rate(hyperparameters["learning_rate"]),
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
