"""Stochastic spectral descent in JAX; see `submission.py` for the update.

Deviations from `submission.py`: those of `submissions.muon.submission_jax` in orthogonalisation.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from harness.core.errors import UnknownNameError
from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.transformations_jax import Arrays, stateless
from submissions.modular_norm.dual_maps_jax import matrices, polar
from workloads.parameters import ParameterSpec

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No rule exists for a step scaled by the sum of all singular values."""
SCOPES = ("layer", "network")


def scaled_polar(
    specs: dict[str, ParameterSpec], point: Hyperparameters
) -> optax.GradientTransformation:
    """Transform M into (tr S) U V^T for every matrix; vectors pass through unchanged."""

    def update(updates: Arrays) -> Arrays:
        factors, own = polar(updates, specs, point), matrices(updates, specs)
        traces = {
            n: [(m * x).sum() for m, x in zip(own[n], factors[n], strict=True)] for n in specs
        }
        if point["scope"] == "network":
            total = jnp.stack([trace for part in traces.values() for trace in part]).sum()
            traces = {n: [total] * len(part) for n, part in traces.items()}
        steps = {
            n: jnp.concatenate([x * t for x, t in zip(factors[n], traces[n], strict=True)])
            for n in specs
        }
        return {**updates, **{n: x.reshape(updates[n].shape) for n, x in steps.items()}}

    return stateless(update)


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """Spectral descent on all parameters, with its schedule."""
    if hyperparameters["scope"] not in SCOPES:
        raise UnknownNameError("scope", hyperparameters["scope"], SCOPES)
    weights = {name: spec for name, spec in problem.specs.items() if len(spec.shape) > 1}
    transformation = optax.chain(
        optax.ema(hyperparameters["momentum"], debias=False),
        scaled_polar(weights, hyperparameters),
        optax.add_decayed_weights(hyperparameters["weight_decay"]),
        optax.scale_by_learning_rate(hyperparameters["learning_rate"]),
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
