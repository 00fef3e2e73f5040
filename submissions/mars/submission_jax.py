"""MARS-AdamW in JAX: corrected gradients before AdamW; see `submission.py`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.adamw_jax import adamw
from submissions.common.precision_jax import bound_gradients
from workloads.parameters import Role

VECTORS = (Role.NORM, Role.BIAS, Role.VECTOR)


def correct_gradients(gamma: float, beta1: float) -> optax.GradientTransformation:
    """Transform gradients g_t into c~_t; the state is the last gradients."""
    factor = gamma * beta1 / (1 - beta1)

    def correct(gradient: jax.Array, last: jax.Array) -> jax.Array:
        value = gradient + factor * (gradient - last)
        return value / jnp.maximum(jnp.linalg.norm(value), 1.0)

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        del params
        return jax.tree.map(correct, updates, state), updates

    return optax.GradientTransformation(lambda params: jax.tree.map(jnp.zeros_like, params), update)


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """MARS-AdamW on matrices and kernels, AdamW on vectors, with their shared schedule."""
    own = adamw(hyperparameters, prefix="")
    mars = optax.chain(correct_gradients(hyperparameters["gamma"], hyperparameters["beta1"]), own)
    vectors = optax.chain(bound_gradients(2), adamw(hyperparameters))
    labels = {n: "vector" if s.role in VECTORS else "weight" for n, s in problem.specs.items()}
    transformation = optax.multi_transform({"weight": mars, "vector": vectors}, labels)
    return transformation, schedules.from_hyperparameters(hyperparameters)
