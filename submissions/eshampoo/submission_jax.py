"""EShampoo in JAX, as an optax transformation; see `submission.py` for the update.

Deviation from `submission.py`: projections use float32. Bases are refreshed under `lax.cond`, so
that a step computes only those due.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.adamw_jax import adamw
from submissions.common.precision_jax import bound_gradients
from submissions.common.transformations_jax import Arrays, stateful
from submissions.common.two_sided_jax import SIDES, Entry, accumulate, start_factors
from workloads.parameters import Role

ROLES = (Role.HIDDEN_MATRIX, Role.CONVOLUTION, Role.OUTPUT)
Carry = tuple[jax.Array | int, jax.Array]
"""The number of iterations, and the basis after them."""


class EshampooState(NamedTuple):
    """Step count, and for each parameter its rotated moments, factors and bases."""

    step: jax.Array
    entries: dict[str, Entry]


def eshampoo(names: Sequence[str], point: Hyperparameters) -> optax.GradientTransformation:
    """The whole update, including decay and learning rate.

    Args:
        names: keys of the arrays to transform, in the order in which their bases are refreshed; the
            others pass through unchanged.
        point: `learning_rate`, `weight_decay`, `beta1`, `beta2`, `factor_beta`, `epsilon`,
            `refresh_every`, `tolerance`, `iterations` and `max_dim`.
    """

    def init(params: Arrays) -> EshampooState:
        entries = {name: _start(params[name], point) for name in names}
        return EshampooState(jnp.zeros((), jnp.int32), entries)

    def update(
        updates: Arrays, state: EshampooState, params: Arrays
    ) -> tuple[Arrays, EshampooState]:
        gradients = {n: updates[n].reshape(len(updates[n]), -1) for n in names}
        beta = point["factor_beta"]
        entries = {n: accumulate(state.entries[n], g, beta) for n, g in gradients.items()}
        sides = [(n, side) for n in names for side in SIDES if side in entries[n]]
        for place, (name, side) in enumerate(sides):
            kind = _refresh_kind(place, len(sides), state.step, point["refresh_every"])
            entries[name] = _refresh_basis(entries[name], side, kind, point)
        changes = {}
        for name, g in gradients.items():
            entries[name], step = _move(entries[name], g, state.step + 1, point)
            whole = step.reshape(updates[name].shape) + point["weight_decay"] * params[name]
            changes[name] = -point["learning_rate"] * whole
        return {**updates, **changes}, EshampooState(state.step + 1, entries)

    return stateful(init, update)


def _start(parameter: jax.Array, point: Hyperparameters) -> Entry:
    matrix = jnp.zeros_like(parameter.reshape(len(parameter), -1))
    return {
        "momentum": matrix,
        "second": matrix,
        **start_factors(matrix, point["max_dim"], "basis"),
    }


def _refresh_kind(place: int, count: int, step: jax.Array, period: int) -> jax.Array:
    """0 for none, 1 for the first basis, at step j or earlier, 2 for a later one, every period."""
    offset = place * period // count
    first = min(place, offset)
    is_later = (step >= period) & ((step - offset) % period == 0)
    return jnp.where(step == first, 1, jnp.where(is_later, 2, 0))


def _refresh_basis(entry: Entry, side: str, kind: jax.Array, point: Hyperparameters) -> Entry:
    factor, old = entry[side], entry[f"{side}_basis"]

    def begin(_: jax.Array) -> jax.Array:
        vectors: jax.Array = jnp.linalg.eigh(factor)[1]
        return vectors[:, ::-1]

    def follow(basis: jax.Array) -> jax.Array:
        return _iterate_basis(factor, basis, point["tolerance"], point["iterations"])

    def refresh(entry: Entry) -> Entry:
        new: jax.Array = jax.lax.cond(kind == 1, begin, follow, old)
        m = entry["momentum"]
        m = new.T @ (old @ m) if side == "left" else (m @ old.T) @ new
        return {**entry, f"{side}_basis": new, "momentum": m}

    result: Entry = jax.lax.cond(kind > 0, refresh, lambda entry: entry, entry)
    return result


def _iterate_basis(
    factor: jax.Array, basis: jax.Array, tolerance: float, iterations: int
) -> jax.Array:
    """Orthogonal iteration until the basis is accurate enough, at most `iterations` times."""

    def is_inaccurate(carry: Carry) -> jax.Array:
        count, basis = carry
        rotated_factor = basis.T @ (factor @ basis)
        whole = jnp.linalg.norm(rotated_factor)
        beside = jnp.linalg.norm(rotated_factor - jnp.diag(jnp.diagonal(rotated_factor)))
        result: jax.Array = (count < iterations) & (beside > tolerance * whole)
        return result

    def turn(carry: Carry) -> Carry:
        count, basis = carry
        return count + 1, jnp.linalg.qr(factor @ basis)[0]

    start: Carry = (0, basis)
    return jax.lax.while_loop(is_inaccurate, turn, start)[1]


def _move(
    entry: Entry, g: jax.Array, step: jax.Array, point: Hyperparameters
) -> tuple[Entry, jax.Array]:
    """Adam's moments in the bases, and the step out of them; step counts from 1."""
    beta1, beta2 = point["beta1"], point["beta2"]
    left, right = entry.get("left_basis"), entry.get("right_basis")
    rotated_gradient = g if left is None else left.T @ g
    rotated_gradient = rotated_gradient if right is None else rotated_gradient @ right
    momentum = beta1 * entry["momentum"] + (1 - beta1) * rotated_gradient
    second = beta2 * entry["second"] + (1 - beta2) * rotated_gradient**2
    scale = jnp.sqrt(second / (1 - beta2**step)) + point["epsilon"]
    direction = momentum / (1 - beta1**step) / scale
    direction = direction if left is None else left @ direction
    direction = direction if right is None else direction @ right.T
    return {**entry, "momentum": momentum, "second": second}, direction


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """EShampoo on matrices and kernels, AdamW on the rest, with their shared schedule."""
    kinds = {n: "matrix" if s.role in ROLES else "rest" for n, s in problem.specs.items()}
    matrices = eshampoo([n for n, kind in kinds.items() if kind == "matrix"], hyperparameters)
    transformation = optax.multi_transform(
        {"matrix": matrices, "rest": adamw(hyperparameters)}, kinds
    )
    transformation = optax.chain(bound_gradients(), transformation)
    return transformation, schedules.from_hyperparameters(hyperparameters)
