"""Steepest descent under the modular norm in JAX; see `submission.py` for the update.

Deviations from `submission.py`: those of `submissions.muon.submission_jax` in orthogonalisation;
`kernels` must be "reshaped".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import jax
import optax

from harness.core.errors import HarnessError
from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.transformations_jax import Arrays, stateless
from submissions.modular_norm import kinds
from submissions.modular_norm.dual_maps_jax import duals
from workloads.parameters import ParameterSpec

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""None: each role's dual map already scales the step with width."""


def dual(
    specs: Mapping[str, ParameterSpec], point: Hyperparameters
) -> optax.GradientTransformation:
    """Transform M into D / s, times the sum of <M, D> / s for "dual_norm"."""
    by_role = kinds.norms(point)
    scales = kinds.scales([spec.role for spec in specs.values()], point)
    norms = {name: by_role[spec.role] for name, spec in specs.items()}

    def update(updates: Arrays) -> Arrays:
        directions = duals(updates, specs, norms, point)
        steps = {name: step * scales[specs[name].role] for name, step in directions.items()}
        if point["size"] == "fixed":
            return steps
        size = cast("jax.Array", optax.tree.vdot(updates, steps))
        return {name: size * step for name, step in steps.items()}

    return stateless(update)


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """Steepest descent on all parameters according to their roles, with its schedule."""
    kinds.check(hyperparameters)
    if hyperparameters["kernels"] != "reshaped":
        kernels = hyperparameters["kernels"]
        raise HarnessError(f"kernels is {kernels!r}", "allowed in jax: 'reshaped'")
    transformation = optax.chain(
        optax.ema(hyperparameters["momentum"], debias=False),
        dual(problem.specs, hyperparameters),
        optax.add_decayed_weights(hyperparameters["weight_decay"]),
        optax.scale_by_learning_rate(hyperparameters["learning_rate"]),
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
