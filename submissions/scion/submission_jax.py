"""Scion in JAX, with optax's Newton-Schulz; see `submission.py` for the update.

Deviations from `submission.py`: those of `submissions.muon.submission_jax` in orthogonalisation.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.precision_jax import bound_gradients
from submissions.common.signs_jax import signs
from submissions.common.transformations_jax import Arrays, stateless
from submissions.muon.submission_jax import as_matrices, orthogonalise
from workloads.parameters import ParameterSpec, Role

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""None: each role's norm already scales the step with width."""
HIDDEN = (Role.HIDDEN_MATRIX, Role.CONVOLUTION)
SIGNED = (Role.EMBEDDING, Role.OUTPUT)
TINY = 1.1754944e-38
"""The smallest normal float32."""
ITERATION = {"norm": "tight", "coefficients": "polar_express", "newton_schulz_steps": 4}
"""The iteration of `common.dual_maps.polar`."""


def to_boundary(
    specs: dict[str, ParameterSpec], hyperparameters: Hyperparameters
) -> optax.GradientTransformation:
    """Transform M, with U V^T in place of hidden matrices, into rho D(M)."""

    def hidden_direction(x: jax.Array, spec: ParameterSpec) -> jax.Array:
        # of a kernel the flattened matrix has in * height * width columns
        offsets = x[0, 0].size if x.ndim > 2 else 1
        parts = as_matrices(x.reshape(len(x), -1), spec)
        scaled_parts = [part * (len(part) / part.shape[1] / offsets) ** 0.5 for part in parts]
        whole: jax.Array = hyperparameters["radius"] * jnp.concatenate(scaled_parts).reshape(
            x.shape
        )
        return whole

    def direction(x: jax.Array, spec: ParameterSpec) -> jax.Array:
        if spec.role in HIDDEN:
            return hidden_direction(x, spec)
        if spec.role in SIGNED:
            scale = float(hyperparameters["output_radius"]) / x.shape[1]
            return signs(x) * scale
        size = jnp.maximum(jnp.sqrt((x**2).mean()), TINY**0.5)
        return x / size * float(hyperparameters["vector_radius"])

    def update(updates: Arrays) -> Arrays:
        return {name: direction(updates[name], spec) for name, spec in specs.items()}

    return stateless(update)


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """Scion on all parameters according to their roles, with its schedule."""
    hidden = {name: spec for name, spec in problem.specs.items() if spec.role in HIDDEN}
    point = {"scaling": "thesis", **ITERATION, **hyperparameters}
    transformation = optax.chain(
        optax.ema(hyperparameters["momentum"], debias=False),
        bound_gradients(),
        orthogonalise(hidden, point, is_scaled=False),
        to_boundary(dict(problem.specs), hyperparameters),
        optax.add_decayed_weights(1.0 if hyperparameters["constrained"] else 0.0),
        optax.scale_by_learning_rate(hyperparameters["learning_rate"]),
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
