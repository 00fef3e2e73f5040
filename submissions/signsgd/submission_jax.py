"""SignSGD with momentum in JAX; see `submission.py` for the update."""

from __future__ import annotations

import jax
import optax

from harness.core.errors import UnknownNameError
from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.signs_jax import signs
from submissions.common.transformations_jax import Arrays, stateless

SIZES = ("dual_norm", "fixed")


def scaled_signs(size: str) -> optax.GradientTransformation:
    """Transform momenta into their signs, times their l1 norm for "dual_norm"."""

    def update(updates: Arrays) -> Arrays:
        norm = optax.tree.norm(updates, ord=1) if size == "dual_norm" else 1.0
        steps: Arrays = jax.tree.map(lambda m: norm * signs(m), updates)
        return steps

    return stateless(update)


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """SignSGD on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    if hyperparameters["size"] not in SIZES:
        raise UnknownNameError("size", hyperparameters["size"], SIZES)
    transformation = optax.chain(
        optax.ema(hyperparameters["momentum"], debias=False),
        scaled_signs(hyperparameters["size"]),
        optax.add_decayed_weights(hyperparameters["weight_decay"]),
        optax.scale_by_learning_rate(hyperparameters["learning_rate"]),
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
