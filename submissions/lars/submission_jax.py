"""LARS in JAX, as an optax transformation; see `submission.py` for the update.

`optax.lars` differs: it takes the norm of the sum g_t + lambda w_t.
"""

from __future__ import annotations

from collections.abc import Collection

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common import schedules
from submissions.common.transformations_jax import Arrays, Factor, stateful_with_factor
from workloads.parameters import Role

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No rule exists for a step that is proportional to the weight's own norm."""
VECTORS = (Role.NORM, Role.BIAS, Role.VECTOR)


def lars(
    scaled_names: Collection[str], point: Hyperparameters
) -> optax.GradientTransformationExtraArgs:
    """The whole update; its argument `factor` is the schedule's, its state the velocities.

    Args:
        scaled_names: keys of the arrays whose step scales with their norm; the others are not
            decayed either.
        point: `learning_rate`, `momentum`, `weight_decay` and `trust`.
    """
    decay, trust = point["weight_decay"], point["trust"]

    def step(name: str, g: jax.Array, w: jax.Array) -> jax.Array:
        if name not in scaled_names:
            return g
        norm, size = jnp.linalg.norm(w), jnp.linalg.norm(g)
        ratio: jax.Array = trust * norm / (size + decay * norm)
        ratio = jnp.where((norm == 0.0) | (size == 0.0), 1.0, ratio)
        scaled_step: jax.Array = ratio * (g + decay * w)
        return scaled_step

    def update(
        updates: Arrays, state: Arrays, params: Arrays, factor: Factor
    ) -> tuple[Arrays, Arrays]:
        rate = point["learning_rate"] * factor
        velocities = {
            name: point["momentum"] * state[name] + rate * step(name, g, params[name])
            for name, g in updates.items()
        }
        return jax.tree.map(jnp.negative, velocities), velocities

    return stateful_with_factor(lambda params: jax.tree.map(jnp.zeros_like, params), update)


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """LARS on matrices and kernels, plain momentum on vectors, with their schedule."""
    scaled_names = [name for name, spec in problem.specs.items() if spec.role not in VECTORS]
    return Built(
        lars(scaled_names, hyperparameters),
        schedules.from_hyperparameters(hyperparameters),
        takes_factor=True,
    )
