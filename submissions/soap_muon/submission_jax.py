"""SOAP-Muon in JAX; see `submission.py` for the update.

Deviations from `submission.py`: those of `submissions.soap.submission_jax`, and of
`submissions.muon.submission_jax` in orthogonalisation.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common.precision_jax import bound_gradients
from submissions.muon.submission_jax import newton_schulz
from submissions.soap.submission_jax import Direction, beside_adamw, matrices_of, soap
from submissions.soap_muon.sides import sides_of

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No single rule fits both the orthogonalised matrices and the parameters left to AdamW."""
FLOOR = 1e-7
"""A norm of N below which steps become shorter, as in the source."""
TINY = 1.1754944e-38
"""The smallest normal float32."""


def orthogonal_direction(point: Hyperparameters) -> Direction:
    """c sqrt(r) S / ||S||."""
    beta1, beta2 = point["beta1"], point["beta2"]

    def direction(
        momentum: jax.Array, second: jax.Array, rotated_gradient: jax.Array, count: jax.Array
    ) -> jax.Array:
        ahead = momentum + (1 - beta1) * rotated_gradient if point["nesterov"] else momentum
        whitened_momentum = {"matrix": ahead / (jnp.sqrt(second) + point["epsilon"])}
        step: jax.Array = newton_schulz(whitened_momentum, point, FLOOR)["matrix"]
        step = jnp.sqrt(jnp.abs(step)) * jnp.sign(step) if point["root"] else step
        correction = jnp.sqrt(1 - beta2**count) / (1 - beta1**count)
        unit = step / jnp.maximum(jnp.linalg.norm(step), TINY)
        scaled_step: jax.Array = correction * len(step) ** 0.5 * unit
        return scaled_step

    return direction


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """SOAP-Muon on hidden matrices and kernels, AdamW on the rest, with their schedule."""
    sides = partial(sides_of, choice=hyperparameters["sides"])
    direction = orthogonal_direction(hyperparameters)
    matrices = soap(matrices_of(problem), hyperparameters, direction, sides)
    whole, schedule = beside_adamw(matrices, problem, hyperparameters, "adam_learning_rate")
    return optax.chain(bound_gradients(), whole), schedule
