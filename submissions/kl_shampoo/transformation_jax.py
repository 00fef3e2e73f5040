"""KL-Shampoo and KL-SOAP as optax transformations; each `submission.py` states its update.

Deviation from there: products use float32. Bases are refreshed under `lax.cond`, so that a step
computes only those due.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.adamw_jax import adamw
from submissions.common.precision_jax import bound_gradients
from submissions.common.staggering_jax import is_due
from submissions.common.transformations_jax import Arrays, stateful
from workloads.parameters import Role

ROLES = (Role.HIDDEN_MATRIX, Role.CONVOLUTION)
SIDES = ("left", "right")
LEAST_BOUND, MOST_BOUND = 10.0, 4000.0
"""The bound on an inverse root is the factor's size, clamped to this range."""
Entry = dict[str, jax.Array]


class KlState(NamedTuple):
    """Step count, and for each parameter its moments, factors, bases and eigenvalues."""

    step: jax.Array
    entries: dict[str, Entry]


def transformation(
    names: Collection[str], point: Hyperparameters, is_soap: bool
) -> optax.GradientTransformation:
    """The whole update, including decay and learning rate; the first update is zero.

    Args:
        names: keys of the arrays to transform; the others pass through unchanged.
        point: `learning_rate`, `weight_decay`, `beta1`, `beta2`, `factor_beta`, `epsilon`,
            `refresh_every`, `max_dim` and `initial_value`.
        is_soap: whether the step is Adam's in the bases or lies between inverse roots.
    """
    move = _soap_step if is_soap else _shampoo_step

    def init(params: Arrays) -> KlState:
        entries = {name: _start(params[name], point, is_soap) for name in names}
        return KlState(jnp.zeros((), jnp.int32), entries)

    def update(updates: Arrays, state: KlState, params: Arrays) -> tuple[Arrays, KlState]:
        steps, entries, is_first = {}, {}, state.step == 0
        for name in names:
            g = updates[name].reshape(len(updates[name]), -1)
            old = state.entries[name]
            entry, step = move(old, g, point)
            later = _accumulate(entry, g, point["factor_beta"])
            entries[name] = _choose(is_first, _first(old, g, point), later)
            whole = step.reshape(updates[name].shape) + point["weight_decay"] * params[name]
            steps[name] = jnp.where(is_first, 0.0, -point["learning_rate"] * whole)
        sides = [(n, side) for n in entries for side in SIDES if side in entries[n]]
        for place, (name, side) in enumerate(sides):
            is_turn = is_due(place, len(sides), state.step, point["refresh_every"])
            entries[name] = _refresh_basis(entries[name], side, is_first, is_turn, is_soap=is_soap)
        return {**updates, **steps}, KlState(state.step + 1, entries)

    return stateful(init, update)


def _start(parameter: jax.Array, point: Hyperparameters, is_soap: bool) -> Entry:
    matrix = jnp.zeros_like(parameter.reshape(len(parameter), -1))
    entry = {"momentum": matrix} | ({"second": matrix} if is_soap else {})
    for side, size in zip(SIDES, matrix.shape, strict=True):
        entry[f"{side}_values"] = jnp.ones(size, matrix.dtype)  # until the first gradient
        if size <= point["max_dim"]:
            entry[side] = jnp.zeros((size, size), matrix.dtype)
            entry[f"{side}_basis"] = jnp.eye(size, dtype=matrix.dtype)
    return entry


def _choose(condition: jax.Array, left: Entry, right: Entry) -> Entry:
    result: Entry = jax.tree.map(lambda a, b: jnp.where(condition, a, b), left, right)
    return result


def _rotate(entry: Entry, matrix: jax.Array, side: str) -> jax.Array:
    """U_L^T X or X U_R; X where the side has no basis."""
    if f"{side}_basis" not in entry:
        return matrix
    basis = entry[f"{side}_basis"]
    return basis.T @ matrix if side == "left" else matrix @ basis


def _out_of_bases(entry: Entry, rotated_step: jax.Array) -> jax.Array:
    left, right = entry.get("left_basis"), entry.get("right_basis")
    rotated_step = rotated_step if left is None else left @ rotated_step
    return rotated_step if right is None else rotated_step @ right.T


def _shampoo_step(entry: Entry, g: jax.Array, point: Hyperparameters) -> tuple[Entry, jax.Array]:
    beta1 = point["beta1"]
    momentum = beta1 * entry["momentum"] + (1 - beta1) * g
    scale = jnp.outer(jnp.sqrt(entry["left_values"]), jnp.sqrt(entry["right_values"]))
    rotated_step = _rotate(entry, _rotate(entry, momentum, "left"), "right") / (
        scale + point["epsilon"]
    )
    return {**entry, "momentum": momentum}, _out_of_bases(entry, rotated_step)


def _soap_step(entry: Entry, g: jax.Array, point: Hyperparameters) -> tuple[Entry, jax.Array]:
    beta1, beta2 = point["beta1"], point["beta2"]
    rotated_gradient = _rotate(entry, _rotate(entry, g, "left"), "right")
    momentum = beta1 * entry["momentum"] + (1 - beta1) * rotated_gradient
    second = beta2 * entry["second"] + (1 - beta2) * rotated_gradient**2
    step = _out_of_bases(entry, momentum / (jnp.sqrt(second) + point["epsilon"]))
    return {**entry, "momentum": momentum, "second": second}, step


def _first(entry: Entry, g: jax.Array, point: Hyperparameters) -> Entry:
    """The factors of the first gradient, not whitened, and the eigenvalues to begin with."""
    new, (rows, columns), beta = dict(entry), g.shape, point["factor_beta"]
    value = point["initial_value"] or jnp.sqrt((g**2).mean())
    for side, size in zip(SIDES, g.shape, strict=True):
        new[f"{side}_values"] = jnp.full(size, jnp.maximum(value, _least(size)))
    if "left" in entry:
        new["left"] = (1 - beta) / columns * g @ g.T
    if "right" in entry:
        new["right"] = (1 - beta) / rows * g.T @ g
    return new


def _accumulate(entry: Entry, g: jax.Array, beta: float) -> Entry:
    new, (rows, columns) = dict(entry), g.shape
    roots = entry["left_values"][:, None] ** -0.5, entry["right_values"] ** -0.5
    right_rotated = _rotate(entry, g, "right")
    if "left" in entry:
        half = right_rotated * roots[1]
        new["left"] = beta * entry["left"] + (1 - beta) / columns * half @ half.T
    if "right" in entry:
        half = _rotate(entry, g, "left") * roots[0]
        new["right"] = beta * entry["right"] + (1 - beta) / rows * half.T @ half
    rotated_gradient = _rotate(entry, right_rotated, "left")
    means = (
        ((rotated_gradient * roots[1]) ** 2).mean(1),
        ((rotated_gradient * roots[0]) ** 2).mean(0),
    )
    for side, mean in zip(SIDES, means, strict=True):
        values = beta * entry[f"{side}_values"] + (1 - beta) * mean
        new[f"{side}_values"] = jnp.maximum(values, _least(len(mean)))
    return new


def _least(size: int) -> float:
    """The least eigenvalue of a factor of this size."""
    return float(max(LEAST_BOUND, min(size, MOST_BOUND)) ** -2)


def _refresh_basis(
    entry: Entry, side: str, is_first: jax.Array, is_turn: jax.Array, *, is_soap: bool
) -> Entry:
    """The first basis by eigendecomposition, later ones by one orthogonal iteration."""

    def begin(entry: Entry) -> Entry:
        return {**entry, f"{side}_basis": jnp.linalg.eigh(entry[side])[1][:, ::-1]}

    def turn(entry: Entry) -> Entry:
        old = entry[f"{side}_basis"]
        new = {**entry, f"{side}_basis": jnp.linalg.qr(entry[side] @ old)[0]}
        if is_soap:
            rotation = new[f"{side}_basis"].T @ old
            m = entry["momentum"]
            new["momentum"] = rotation @ m if side == "left" else m @ rotation.T
        return new

    choice = jnp.where(is_first, 1, jnp.where(is_turn, 2, 0))
    result: Entry = jax.lax.switch(choice, [lambda entry: entry, begin, turn], entry)
    return result


def build_kind(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters, is_soap: bool
) -> tuple[optax.GradientTransformation, Schedule]:
    """One of the two on hidden matrices and kernels, AdamW on the rest, with their schedule."""
    kinds = {n: "matrix" if s.role in ROLES else "rest" for n, s in problem.specs.items()}
    names = [name for name, kind in kinds.items() if kind == "matrix"]
    matrices = transformation(names, hyperparameters, is_soap)
    whole = optax.multi_transform({"matrix": matrices, "rest": adamw(hyperparameters)}, kinds)
    whole = optax.chain(bound_gradients(), whole)
    return whole, schedules.from_hyperparameters(hyperparameters, spike_phase=1)
