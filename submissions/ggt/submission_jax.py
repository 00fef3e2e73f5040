"""GGT in JAX, as an optax transformation; see `submission.py` for the update.

Deviation from `submission.py`: the Gram matrix is decomposed in float32, so directions below a
thousandth of the longest, and not below a ten-thousandth, count as outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.precision_jax import bound_gradient
from submissions.common.transformations_jax import Arrays, stateful

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No rule exists for a step whitened over all weights jointly."""
NULL = 1e-3


class GgtState(NamedTuple):
    """Step count, and of all parameters as one vector momentum, window and Gram matrix."""

    step: jax.Array
    momentum: jax.Array
    window: jax.Array
    gram: jax.Array


def ggt(names: Sequence[str], point: Hyperparameters) -> optax.GradientTransformation:
    """Transform gradients into the whitened momentum.

    Args:
        names: keys of all arrays.
        point: `beta1`, `beta2`, `epsilon`, `outside` and `window`.
    """
    beta1, beta2, size = point["beta1"], point["beta2"], point["window"]

    def flat(values: Arrays) -> jax.Array:
        return jnp.concatenate([values[name].ravel() for name in names])

    def init(params: Arrays) -> GgtState:
        zeros = jnp.zeros_like(flat(params))
        window = jnp.zeros((size, len(zeros)), zeros.dtype)
        return GgtState(jnp.zeros((), jnp.int32), zeros, window, jnp.zeros((size, size)))

    def update(updates: Arrays, state: GgtState, params: Arrays) -> tuple[Arrays, GgtState]:
        del params
        gradient, place = bound_gradient(flat(updates)), state.step % size
        momentum = beta1 * state.momentum + (1 - beta1) * gradient
        window = (beta2 * state.window).at[place].set(gradient)
        products = window @ gradient
        gram = (beta2**2 * state.gram).at[place].set(products).at[:, place].set(products)
        average = momentum / (1 - beta1 ** (state.step + 1))
        step = _direction(window, gram, average, point)
        ends = [sum(updates[n].size for n in names[: i + 1]) for i in range(len(names) - 1)]
        parts = zip(names, jnp.split(step, ends), strict=True)
        steps = {name: part.reshape(updates[name].shape) for name, part in parts}
        return steps, GgtState(state.step + 1, momentum, window, gram)

    return stateful(init, update)


def _direction(
    window: jax.Array, gram: jax.Array, average: jax.Array, point: Hyperparameters
) -> jax.Array:
    values, vectors = jnp.linalg.eigh(gram)
    sizes = jnp.sqrt(jnp.maximum(values, 0.0))
    nonzero = sizes > NULL * sizes[-1]
    count = jnp.maximum(nonzero.sum(), 1)
    epsilon = point["epsilon"] * jnp.sqrt(jnp.where(nonzero, sizes**2, 0.0).sum() / count)
    # U^T m = S^-1 V^T G^T m, and U x = G V S^-1 x.
    to_basis = (vectors * jnp.where(nonzero, 1 / sizes, 0.0)).T
    inside = to_basis @ (window @ average)
    outside = point["outside"] / epsilon
    back = to_basis.T @ ((1 / (sizes + epsilon) - outside) * inside)
    step: jax.Array = outside * average + window.T @ back
    return jnp.where(sizes[-1] == 0.0, 0.0, step)


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """GGT on all parameters, with its schedule."""
    transformation = optax.chain(
        ggt(list(problem.specs), hyperparameters),
        optax.add_decayed_weights(hyperparameters["weight_decay"]),
        optax.scale_by_learning_rate(hyperparameters["learning_rate"]),
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
