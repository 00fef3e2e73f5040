"""AdaMuon in JAX: Muon's direction with adapted entries; see `submission.py` for the update.

Deviations from `submission.py`: those of `submissions.muon.submission_jax`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common.precision_jax import bound_gradients
from submissions.common.signs_jax import signs
from submissions.common.transformations_jax import Arrays, stateful
from submissions.muon.submission_jax import (
    PARAMETRISATION_RULES,
    ROLES,
    as_matrices,
    beside_adamw,
    momentum,
    orthogonalise,
)
from workloads.parameters import ParameterSpec

__all__ = ["PARAMETRISATION_RULES", "build"]
ROOT_MEAN_SQUARE = 0.2
"""The root mean square of a step at a learning rate of 1, about Adam's."""


def adapt(
    specs: Mapping[str, ParameterSpec], hyperparameters: Hyperparameters
) -> optax.GradientTransformation:
    """Transform X_K into 0.2 sqrt(r c) / ||O^|| O^."""
    epsilon = hyperparameters["epsilon"]
    adam = optax.scale_by_adam(b1=0.0, b2=hyperparameters["beta2"], eps=epsilon)

    def rescale(part: jax.Array) -> jax.Array:
        length = ROOT_MEAN_SQUARE * part.size**0.5
        step: jax.Array = part * (length / (jnp.linalg.norm(part) + epsilon))
        return step

    def init(params: Arrays) -> optax.OptState:
        return adam.init({name: params[name] for name in specs})

    def update(
        updates: Arrays, state: optax.OptState, params: Arrays
    ) -> tuple[Arrays, optax.OptState]:
        del params
        directions, state = adam.update({name: updates[name] for name in specs}, state)
        own, steps = cast("Arrays", directions), {}
        for name, spec in specs.items():
            flat = own[name].reshape(len(own[name]), -1)
            parts = [rescale(part) for part in as_matrices(flat, spec)]
            steps[name] = jnp.concatenate(parts).reshape(updates[name].shape)
        return {**updates, **steps}, state

    return stateful(init, update)


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """AdaMuon on hidden matrices and kernels, AdamW on the rest, with their shared schedule."""
    hidden = {name: spec for name, spec in problem.specs.items() if spec.role in ROLES}
    take_signs = optax.stateless_with_tree_map(lambda update, _: signs(jnp.asarray(update)))
    direction = optax.chain(
        momentum(hyperparameters["momentum"], hyperparameters["nesterov"]),
        take_signs if hyperparameters["sign"] else bound_gradients(),
        orthogonalise(hidden, {"scaling": "rms", **hyperparameters}, is_scaled=False),
        adapt(hidden, hyperparameters),
    )
    whole, schedule = beside_adamw(direction, problem, hyperparameters)
    return optax.chain(bound_gradients(2), whole), schedule
