"""AdamC in JAX: AdamW with decay that follows the schedule; see `submission.py` for the update."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

import jax
import optax

from harness.core.errors import UnknownNameError
from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common import schedules
from submissions.common.precision_jax import bound_gradients
from submissions.common.transformations_jax import Arrays, Factor, stateful_with_factor
from workloads.parameters import Role

CORRECTED = ("declared", "hidden")
HIDDEN = (Role.HIDDEN_MATRIX, Role.CONVOLUTION)


def adamc(
    corrected_names: Collection[str], point: Hyperparameters
) -> optax.GradientTransformationExtraArgs:
    """The whole update; its argument `factor` is the schedule's, gamma_t / gamma_max.

    Args:
        corrected_names: keys of the arrays whose decay is multiplied by the factor once more.
        point: `learning_rate`, `beta1`, `beta2`, `epsilon` and `weight_decay`.
    """
    adam = optax.chain(
        bound_gradients(2),
        optax.scale_by_adam(b1=point["beta1"], b2=point["beta2"], eps=point["epsilon"]),
    )

    def update(
        updates: Arrays, state: optax.OptState, params: Arrays, factor: Factor
    ) -> tuple[Arrays, optax.OptState]:
        rate, decay = point["learning_rate"] * factor, point["weight_decay"]
        directions, state = adam.update(updates, state, params)
        steps = cast("Arrays", directions)
        decays = {name: decay * (factor if name in corrected_names else 1.0) for name in updates}
        changes = {n: -rate * (steps[n] + decays[n] * params[n]) for n in updates}
        return changes, state

    return stateful_with_factor(adam.init, update)


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """AdamC on all parameters, with its schedule."""
    which = hyperparameters["corrected"]
    if which not in CORRECTED:
        raise UnknownNameError("corrected", str(which), CORRECTED)
    corrected_names = [
        name
        for name, spec in problem.specs.items()
        if (spec.is_normalised if which == "declared" else spec.role in HIDDEN)
    ]
    return Built(
        adamc(corrected_names, hyperparameters),
        schedules.from_hyperparameters(hyperparameters),
        takes_factor=True,
    )
