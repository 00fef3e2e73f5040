"""LAMB through `optax.lamb` and `optax.adam`; see `submission.py` for the update."""

from __future__ import annotations

import jax
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.precision_jax import bound_gradients
from workloads.parameters import Role

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No rule exists for a step that is proportional to the weight's own norm."""
VECTORS = (Role.NORM, Role.BIAS, Role.VECTOR)


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """LAMB on matrices and kernels, Adam on vectors, with their schedule."""
    rate, beta1, beta2, epsilon = (
        hyperparameters[name] for name in ("learning_rate", "beta1", "beta2", "epsilon")
    )
    decay = hyperparameters["weight_decay"]
    lamb = optax.lamb(rate, beta1, beta2, epsilon, weight_decay=decay)
    adam = optax.adam(rate, beta1, beta2, epsilon)
    labels = {n: "vector" if s.role in VECTORS else "weight" for n, s in problem.specs.items()}
    transformation = optax.multi_transform({"weight": lamb, "vector": adam}, labels)
    transformation = optax.chain(bound_gradients(2), transformation)
    return transformation, schedules.from_hyperparameters(hyperparameters)
