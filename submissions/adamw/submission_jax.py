"""AdamW through `optax.adamw`; see `submission.py` for the update."""

from __future__ import annotations

import jax
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.adamw_jax import adamw


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """AdamW on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    transformation = adamw(hyperparameters, prefix="")
    return transformation, schedules.from_hyperparameters(hyperparameters)
