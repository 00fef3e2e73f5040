"""Adafactor from optax's transformations; see `submission.py` for the update.

`optax.adafactor` differs in that its decay is not multiplied by the learning rate and that it
leaves matrices with a side below 128 unfactored.
"""

from __future__ import annotations

import jax
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.precision_jax import bound_gradients

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No rule exists for a step that is proportional to the weight's own size."""


def with_flat_kernels(inner: optax.GradientTransformation) -> optax.GradientTransformation:
    """A transformation that sees kernels as matrices (out, in * height * width)."""

    def flat(values: optax.Params | None) -> optax.Params:
        matrices: optax.Params = jax.tree.map(
            lambda x: x.reshape(len(x), -1) if x.ndim > 2 else x, values
        )
        return matrices

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        steps, state = inner.update(flat(updates), state, flat(params))
        return jax.tree.map(lambda step, x: step.reshape(x.shape), steps, updates), state

    return optax.GradientTransformation(lambda params: inner.init(flat(params)), update)


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """Adafactor on all parameters, with its schedule."""
    del problem  # optax receives the parameters in `init`
    transformation = optax.chain(
        bound_gradients(),
        optax.scale_by_factored_rms(
            decay_rate=hyperparameters["decay_power"], min_dim_size_to_factor=1
        ),
        optax.clip_by_block_rms(hyperparameters["step_bound"]),
        optax.scale_by_param_block_rms(hyperparameters["epsilon"]),
        optax.add_decayed_weights(hyperparameters["weight_decay"]),
        optax.scale_by_learning_rate(hyperparameters["learning_rate"]),
    )
    return with_flat_kernels(transformation), schedules.from_hyperparameters(hyperparameters)
