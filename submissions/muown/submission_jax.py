"""Muown in JAX; see `submission.py` for the update.

Deviations from `submission.py`: those of `submissions.muon.submission_jax` in orthogonalisation.
The schedule's factor multiplies the rate inside the update, because a step is not proportional to
the rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, cast

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common import schedules
from submissions.common.adamw_jax import adamw
from submissions.common.precision_jax import bound_gradient, bound_gradients
from submissions.common.transformations_jax import Arrays, Factor, stateful_with_factor
from submissions.muon.submission_jax import PARAMETRISATION_RULES, ROLES, momentum, orthogonalise
from workloads.parameters import ParameterSpec

__all__ = ["PARAMETRISATION_RULES", "build"]
SMALLEST = 1e-8
"""The norm that a row of zeros is treated as having."""


class MuownState(NamedTuple):
    """Step count, Muon's momenta, and of each row ||v|| and Adam's moments of its norm."""

    step: jax.Array
    momenta: Arrays
    lengths: Arrays
    first: Arrays
    second: Arrays


def muown(
    specs: Mapping[str, ParameterSpec], point: Hyperparameters
) -> optax.GradientTransformationExtraArgs:
    """The whole update, decay and learning rate included, of a dictionary of parameters.

    Args:
        specs: of the parameters to transform; others pass through unchanged.
        point: the submission's hyperparameters.
    """
    average = momentum(point["momentum"], point["nesterov"])
    sign = orthogonalise(dict(specs), {**point, "scaling": "rms"})
    beta1, beta2, decay = point["gain_beta1"], point["gain_beta2"], point["weight_decay"]

    def init(params: Arrays) -> MuownState:
        matrices = {name: flat(params[name]) for name in specs}
        lengths = {name: norms(matrix) for name, matrix in matrices.items()}
        zeros = jax.tree.map(jnp.zeros_like, lengths)
        start = jax.tree.map(jnp.zeros_like, matrices)
        return MuownState(jnp.zeros((), jnp.int32), start, lengths, zeros, zeros)

    def update(
        updates: Arrays, state: MuownState, params: Arrays, factor: Factor
    ) -> tuple[Arrays, MuownState]:
        rate, step = point["learning_rate"] * factor, state.step + 1
        weights = {name: flat(params[name]) for name in specs}
        gains = {name: norms(weight) for name, weight in weights.items()}
        across, slopes = {}, {}
        for name, weight in weights.items():
            unit, gradient = weight / gains[name], flat(updates[name])
            slopes[name] = (gradient * unit).sum(1, keepdims=True)
            scale = gains[name] / state.lengths[name]
            across[name] = scale * (gradient - unit * slopes[name])
        first = jax.tree.map(lambda m, a: beta1 * m + (1 - beta1) * a, state.first, slopes)
        second = jax.tree.map(lambda s, a: beta2 * s + (1 - beta2) * a * a, state.second, slopes)
        averages = average.update(across, state.momenta)
        directions, momenta = cast("tuple[Arrays, Arrays]", averages)
        directions = {name: bound_gradient(matrix) for name, matrix in directions.items()}
        signs = cast("Arrays", sign.update(directions, sign.init(directions))[0])
        changes, lengths = {}, {}
        for name, weight in weights.items():
            new_direction = weight * (state.lengths[name] / gains[name]) - rate * signs[name]
            lengths[name] = norms(new_direction)
            root = jnp.sqrt(second[name] / (1 - beta2**step)) + point["epsilon"]
            gain = gains[name] - rate * first[name] / (1 - beta1**step) / root
            change = new_direction * (gain / lengths[name]) - (1 + rate * decay) * weight
            changes[name] = change.reshape(updates[name].shape)
        return {**updates, **changes}, MuownState(step, momenta, lengths, first, second)

    return stateful_with_factor(init, update)


def flat(x: jax.Array) -> jax.Array:
    """A kernel as a matrix (out, in * height * width)."""
    return x.reshape(len(x), -1)


def norms(matrix: jax.Array) -> jax.Array:
    """The norms of a matrix's rows, (r, 1)."""
    return jnp.maximum(jnp.linalg.norm(matrix, axis=1, keepdims=True), SMALLEST)


def times_factor(inner: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    """A transformation whose changes are multiplied by the schedule's factor."""

    def update(
        updates: Arrays, state: optax.OptState, params: Arrays, factor: Factor
    ) -> tuple[Arrays, optax.OptState]:
        changes, state = inner.update(updates, state, params)
        return jax.tree.map(lambda change: factor * change, changes), state

    return stateful_with_factor(inner.init, update)


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """Muown on hidden matrices and kernels, AdamW on the rest, with their shared schedule."""
    hidden = {name: spec for name, spec in problem.specs.items() if spec.role in ROLES}
    adam = optax.chain(bound_gradients(2), adamw(hyperparameters, "adam_learning_rate"))
    rest = times_factor(adam)
    labels = {name: "muown" if name in hidden else "rest" for name in problem.specs}
    transformation = optax.multi_transform(
        {"muown": muown(hidden, hyperparameters), "rest": rest}, labels
    )
    schedule = schedules.from_hyperparameters(hyperparameters)
    return Built(transformation, schedule, takes_factor=True)
