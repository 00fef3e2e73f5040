"""NorMuon in JAX: Muon's direction with normalised rows; see `submission.py` for the update.

Deviations from `submission.py`: those of `submissions.muon.submission_jax`.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common.precision_jax import bound_gradients
from submissions.common.transformations_jax import Arrays, stateful
from submissions.muon.submission_jax import (
    PARAMETRISATION_RULES,
    ROLES,
    as_matrices,
    beside_adamw,
    momentum,
    orthogonalise,
    scale,
)
from workloads.parameters import ParameterSpec

__all__ = ["PARAMETRISATION_RULES", "build"]
EPSILON = 1e-10


def normalise_rows(
    specs: Mapping[str, ParameterSpec], hyperparameters: Hyperparameters
) -> optax.GradientTransformation:
    """Transform X_K into s ||O|| / ||O^|| O^; the state holds v of each parameter, (out, 1)."""
    beta2, scaling = hyperparameters["beta2"], hyperparameters["scaling"]

    def init(params: Arrays) -> Arrays:
        return {name: jnp.zeros((len(params[name]), 1)) for name in specs}

    def step(sign: jax.Array, rows: jax.Array) -> jax.Array:
        part = sign / (jnp.sqrt(rows) + EPSILON)
        ratio = jnp.linalg.norm(sign) / (jnp.linalg.norm(part) + EPSILON)
        scaled_part: jax.Array = part * ratio * scale(sign, scaling)
        return scaled_part

    def update(updates: Arrays, state: Arrays, params: Arrays) -> tuple[Arrays, Arrays]:
        del params
        steps, rows = {}, {}
        for name, spec in specs.items():
            flat = updates[name].reshape(len(updates[name]), -1)
            rows[name] = beta2 * state[name] + (1 - beta2) * (flat**2).mean(1, keepdims=True)
            pairs = zip(as_matrices(flat, spec), as_matrices(rows[name], spec), strict=True)
            parts = [step(sign, average) for sign, average in pairs]
            steps[name] = jnp.concatenate(parts).reshape(updates[name].shape)
        return {**updates, **steps}, rows

    return stateful(init, update)


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """NorMuon on hidden matrices and kernels, AdamW on the rest, with their shared schedule."""
    hidden = {name: spec for name, spec in problem.specs.items() if spec.role in ROLES}
    direction = optax.chain(
        momentum(hyperparameters["momentum"], hyperparameters["nesterov"]),
        bound_gradients(),
        orthogonalise(hidden, hyperparameters, is_scaled=False),
        normalise_rows(hidden, hyperparameters),
    )
    whole, schedule = beside_adamw(direction, problem, hyperparameters)
    return optax.chain(bound_gradients(2), whole), schedule
