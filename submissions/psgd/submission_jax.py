"""PSGD in JAX, as an optax transformation; see `submission.py` for the update.

Deviations from `submission.py`: products use float32, and `criterion` must be "whitening", as
"newton" needs a second gradient. Factors are fitted under `lax.cond`, so that a step fits only
those due.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.precision_jax import bound_gradient, bound_gradients
from submissions.common.staggering_jax import is_due
from submissions.common.transformations_jax import Arrays, stateful

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No rule exists: the scale of a whitened matrix already depends on its widths."""
INITIAL_SCALES = ("gradient", "one")
SIDES = ("left", "right")
BOUND_BETA = 0.9
FIRST_RATE = 0.5
BALANCE_EVERY = 100
LARGEST_ROTATION = 1 / 8
TINY = 1.1754944e-38**0.5
"""The root of the smallest normal float32."""
Entry = dict[str, jax.Array]


class Sample(NamedTuple):
    """The whitened momentum with one dimension first; the other's length and damping."""

    x: jax.Array
    other: int
    noise: jax.Array


class PsgdState(NamedTuple):
    """Step count, and for each parameter its momentum, factors, their products and bounds."""

    step: jax.Array
    entries: dict[str, Entry]


def psgd(names: Sequence[str], point: Hyperparameters) -> optax.GradientTransformation:
    """Transform gradients into clipped P_L M^ P_R.

    Args:
        names: keys of all arrays, in the order in which their factors are fitted.
        point: `momentum`, `preconditioner_rate`, `damping`, `update_every`, `burst`, `step_clip`,
            `max_dim`, `max_skew` and `initial_scale`.
    """
    beta, period = point["momentum"], point["update_every"]

    def init(params: Arrays) -> PsgdState:
        entries = {name: _start(params[name], point) for name in names}
        return PsgdState(jnp.zeros((), jnp.int32), entries)

    def update(updates: Arrays, state: PsgdState, params: Arrays) -> tuple[Arrays, PsgdState]:
        del params
        steps, entries = {}, {}
        for place, name in enumerate(names):
            entry, g = dict(state.entries[name]), updates[name]
            if point["initial_scale"] == "gradient":
                entry = _scale_factors(entry, g, state.step == 0, point["damping"])
            entry["momentum"] = beta * entry["momentum"] + (1 - beta) * _matrix(g)
            average = entry["momentum"] / (1 - beta ** (state.step + 1))
            is_turn = is_due(place, len(names), state.step, period) & (state.step >= point["burst"])
            entry = jax.lax.cond(
                is_turn | (state.step < point["burst"]),
                lambda entry, x: _fit(entry, x, point),
                lambda entry, _: entry,
                entry,
                average,
            )
            step = _precondition(entry, average)
            clip = jnp.minimum(point["step_clip"] / _root_mean_square(step), 1.0)
            steps[name], entries[name] = (clip * step).reshape(g.shape), entry
        return steps, PsgdState(state.step + 1, entries)

    return stateful(init, update)


def _matrix(x: jax.Array) -> jax.Array:
    return x.reshape(len(x) if x.ndim > 1 else 1, -1)


def _start(parameter: jax.Array, point: Hyperparameters) -> Entry:
    matrix = jnp.zeros_like(_matrix(parameter))
    entry = {"momentum": matrix, "fits": jnp.zeros((), jnp.int32)}
    for side, size in zip(SIDES, matrix.shape, strict=True):
        is_narrow = size**2 <= point["max_skew"] * max(matrix.size, 1)
        is_dense = parameter.ndim > 1 and size <= point["max_dim"] and is_narrow
        factor = jnp.eye(size) if is_dense else jnp.ones(size)
        entry[side] = entry[f"{side}_p"] = factor.astype(matrix.dtype)
        entry[f"{side}_bound"] = jnp.zeros((), matrix.dtype)
    return entry


def _scale_factors(entry: Entry, g: jax.Array, is_first: jax.Array, damping: float) -> Entry:
    """Factors that whiten the first gradient's size, which counts as `damping` at least."""
    size = jnp.maximum(_root_mean_square(g), damping)
    scale = jnp.where(is_first, size**-0.25, 1.0)
    scaled_factors = {side: entry[side] * scale for side in SIDES}
    scaled_products = {f"{side}_p": entry[f"{side}_p"] * scale**2 for side in SIDES}
    return {**entry, **scaled_factors, **scaled_products}


def _precondition(entry: Entry, x: jax.Array) -> jax.Array:
    """P_L X P_R."""
    left, right = entry["left_p"], entry["right_p"]
    x = left @ x if left.ndim > 1 else left[:, None] * x
    return x @ right if right.ndim > 1 else x * right


def _fit(entry: Entry, matrix: jax.Array, point: Hyperparameters) -> Entry:
    """Take one step of both factors towards whitening the momentum."""
    new = {**entry, "fits": entry["fits"] + 1}
    rate = jnp.maximum(point["preconditioner_rate"], FIRST_RATE / new["fits"])
    x = bound_gradient(_precondition(entry, matrix))
    size = [(entry[f"{side}_p"] ** 2).sum() for side in SIDES]
    for place, side in enumerate(SIDES):
        other, of_side = x.shape[1 - place], x if place == 0 else x.T
        noise = point["damping"] ** 2 * size[1 - place]
        fit = _fit_dense if entry[side].ndim > 1 else _fit_diagonal
        sample = Sample(of_side, other, noise)
        new[side], new[f"{side}_bound"] = fit(entry, side, sample, rate)
    ratio = jnp.sqrt(jnp.abs(new["right"]).max() / jnp.abs(new["left"]).max())
    ratio = jnp.where(new["fits"] % BALANCE_EVERY == 0, ratio, 1.0)
    new["left"], new["right"] = new["left"] * ratio, new["right"] / ratio
    for side in SIDES:
        factor = new[side]
        new[f"{side}_p"] = factor.T @ factor if factor.ndim > 1 else factor**2
    return new


def _fit_dense(
    entry: Entry, side: str, sample: Sample, rate: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Q and the bound after a step of a dense factor."""
    x, other, noise = sample
    factor, p = entry[side], entry[f"{side}_p"]
    gram = x @ x.T + noise * p @ p
    bound = _raise_bound(entry[f"{side}_bound"], _norm(gram) + other)
    factor = factor - rate / bound * ((gram - other * jnp.eye(len(gram))) @ factor)
    return _make_symmetric(factor), bound


def _fit_diagonal(
    entry: Entry, side: str, sample: Sample, rate: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The same of a diagonal factor."""
    x, other, noise = sample
    gram = (x**2).sum(1) + noise * entry[f"{side}_p"] ** 2
    bound = _raise_bound(entry[f"{side}_bound"], gram.max() + other)
    return entry[side] * (1 - rate / bound * (gram - other)), bound


def _raise_bound(bound: jax.Array, now: jax.Array) -> jax.Array:
    return jnp.maximum(BOUND_BETA * bound + (1 - BOUND_BETA) * now, now)


def _make_symmetric(factor: jax.Array) -> jax.Array:
    """Rotate Q towards the symmetric matrix with the same Q^T Q, by one ascent step on tr R Q."""
    skew = factor.T - factor
    skew = skew / jnp.maximum(_norm(skew, is_symmetric=False), TINY)
    first = skew @ factor
    second = skew @ first
    rise, bend = jnp.trace(first), jnp.trace(second)
    best = jnp.where(bend < 0, -rise / bend, LARGEST_ROTATION)
    best = jnp.minimum(best, LARGEST_ROTATION)
    return factor + best * (first + 0.5 * best * second)


def _norm(matrix: jax.Array, *, is_symmetric: bool = True) -> jax.Array:
    """Lower bound on the largest singular value, by power iteration from the longest row."""
    row = matrix[(matrix**2).sum(1).argmax()]
    for _ in range(2):
        row = row / jnp.maximum(jnp.linalg.norm(row), TINY)
        row = row @ matrix if is_symmetric else matrix.T @ (matrix @ row)
    size = jnp.linalg.norm(row)
    return size if is_symmetric else jnp.sqrt(size)


def _root_mean_square(x: jax.Array) -> jax.Array:
    return jnp.maximum(jnp.sqrt((x**2).mean()), TINY)


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """PSGD on all parameters, with its schedule."""
    criterion, start = hyperparameters["criterion"], hyperparameters["initial_scale"]
    if criterion != "whitening":
        raise HarnessError(f"criterion is {criterion!r}", "allowed in jax: 'whitening'")
    if start not in INITIAL_SCALES:
        raise UnknownNameError("initial_scale", start, INITIAL_SCALES)
    transformation = optax.chain(
        bound_gradients(),
        psgd(list(problem.specs), hyperparameters),
        optax.add_decayed_weights(hyperparameters["weight_decay"]),
        optax.scale_by_learning_rate(hyperparameters["learning_rate"]),
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
