"""SOAP in JAX, as an optax transformation; see `submission.py` for the update.

Deviations from `submission.py`: projections use float32. Bases are refreshed under `lax.cond`, so
that a step computes only those due.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.adamw_jax import adamw
from submissions.common.staggering_jax import is_due
from submissions.common.transformations_jax import Arrays, stateful
from submissions.common.two_sided_jax import SIDES, Entry, accumulate, start_factors
from workloads.parameters import Role

ROLES = (Role.HIDDEN_MATRIX, Role.CONVOLUTION)
Sides = Callable[[int, int], Collection[str]]
"""The sides with a basis, of a matrix with these rows and columns."""
Direction = Callable[[jax.Array, jax.Array, jax.Array, jax.Array], jax.Array]
"""Maps M~, V, the gradient in the bases and the number of steps to the step in the bases."""


class SoapState(NamedTuple):
    """Step count, and for each parameter its rotated moments, factors and bases."""

    step: jax.Array
    entries: dict[str, Entry]


def adam_direction(point: Hyperparameters) -> Direction:
    """SOAP's N."""
    beta1, beta2, epsilon = point["beta1"], point["beta2"], point["epsilon"]

    def direction(
        momentum: jax.Array, second: jax.Array, rotated_gradient: jax.Array, count: jax.Array
    ) -> jax.Array:
        del rotated_gradient
        scale = jnp.sqrt(second / (1 - beta2**count)) + epsilon
        step_in_bases: jax.Array = momentum / (1 - beta1**count) / scale
        return step_in_bases

    return direction


def soap(
    names: Collection[str],
    point: Hyperparameters,
    direction: Direction,
    sides_of: Sides | None = None,
) -> optax.GradientTransformation:
    """The whole update, including decay and learning rate; the first update is zero.

    Args:
        names: keys of the arrays to transform; the others pass through unchanged.
        point: `learning_rate`, `weight_decay`, `beta1`, `beta2`, `factor_beta`, `epsilon`,
            `refresh_every`, `stagger` and `max_dim`.
        direction: the step in the bases.
        sides_of: the sides that may have a basis; both by default.
    """

    def init(params: Arrays) -> SoapState:
        entries = {name: _start(params[name], point, sides_of) for name in names}
        return SoapState(jnp.zeros((), jnp.int32), entries)

    def update(updates: Arrays, state: SoapState, params: Arrays) -> tuple[Arrays, SoapState]:
        gradients = {n: updates[n].reshape(updates[n].shape[0], -1) for n in names}
        steps, entries = {}, {}
        for name, g in gradients.items():
            entry, step = _move(state.entries[name], g, state.step, point, direction)
            whole = step.reshape(updates[name].shape) + point["weight_decay"] * params[name]
            steps[name] = jnp.where(state.step > 0, -point["learning_rate"] * whole, 0.0)
            entries[name] = accumulate(entry, g, point["factor_beta"])
        sides = [(n, side) for n in entries for side in SIDES if side in entries[n]]
        for place, (name, side) in enumerate(sides):
            period, stagger = point["refresh_every"], point["stagger"]
            is_turn = is_due(place, len(sides), state.step, period, stagger=stagger)
            entries[name] = _refresh_basis(entries[name], side, state.step == 0, is_turn)
        return {**updates, **steps}, SoapState(state.step + 1, entries)

    return stateful(init, update)


def _start(parameter: jax.Array, point: Hyperparameters, sides_of: Sides | None) -> Entry:
    matrix = jnp.zeros_like(parameter.reshape(parameter.shape[0], -1))
    sides = SIDES if sides_of is None else sides_of(*matrix.shape)
    factors = start_factors(matrix, point["max_dim"], "basis", sides)
    return {"momentum": matrix, "second": matrix, **factors}


def _move(
    entry: Entry, g: jax.Array, step: jax.Array, point: Hyperparameters, within: Direction
) -> tuple[Entry, jax.Array]:
    """Update Adam's moments in the bases and return the step; step 0 leaves the moments at zero."""
    beta1, beta2 = point["beta1"], point["beta2"]
    left, right = entry.get("left_basis"), entry.get("right_basis")
    rotated_gradient = g if left is None else left.T @ g
    rotated_gradient = jnp.where(
        step > 0, rotated_gradient if right is None else rotated_gradient @ right, 0.0
    )
    momentum = beta1 * entry["momentum"] + (1 - beta1) * rotated_gradient
    second = beta2 * entry["second"] + (1 - beta2) * rotated_gradient**2
    direction = within(momentum, second, rotated_gradient, jnp.maximum(step, 1))
    direction = direction if left is None else left @ direction
    direction = direction if right is None else direction @ right.T
    return {**entry, "momentum": momentum, "second": second}, direction


def _refresh_basis(entry: Entry, side: str, is_first: jax.Array, is_turn: jax.Array) -> Entry:
    """Compute the first basis by eigendecomposition, later ones by one orthogonal iteration."""
    is_right = side == "right"

    def begin(entry: Entry) -> Entry:
        return {**entry, f"{side}_basis": jnp.linalg.eigh(entry[side])[1][:, ::-1]}

    def turn(entry: Entry) -> Entry:
        basis, momentum, second = entry[f"{side}_basis"], entry["momentum"], entry["second"]
        momentum, second = (momentum.T, second.T) if is_right else (momentum, second)
        image = entry[side] @ basis
        order = jnp.argsort(-(basis * image).sum(0), stable=True)
        new = jnp.linalg.qr(image[:, order])[0]
        momentum, second = new.T @ (basis @ momentum), second[order]
        moments = (momentum.T, second.T) if is_right else (momentum, second)
        return {**entry, f"{side}_basis": new, "momentum": moments[0], "second": moments[1]}

    choice = jnp.where(is_first, 1, jnp.where(is_turn, 2, 0))
    result: Entry = jax.lax.switch(choice, [lambda entry: entry, begin, turn], entry)
    return result


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """SOAP on hidden matrices and kernels, AdamW on the rest, with their shared schedule."""
    matrices = soap(matrices_of(problem), hyperparameters, adam_direction(hyperparameters))
    return beside_adamw(matrices, problem, hyperparameters)


def matrices_of(problem: Problem[jax.Array]) -> list[str]:
    """The names of hidden matrices and kernels."""
    return [name for name, spec in problem.specs.items() if spec.role in ROLES]


def beside_adamw(
    matrices: optax.GradientTransformation,
    problem: Problem[jax.Array],
    hyperparameters: Hyperparameters,
    rate: str = "learning_rate",
) -> tuple[optax.GradientTransformation, Schedule]:
    """A transformation of hidden matrices and kernels, and AdamW at `rate` on the rest."""
    own = matrices_of(problem)
    labels = {name: "matrix" if name in own else "rest" for name in problem.specs}
    transformation = optax.multi_transform(
        {"matrix": matrices, "rest": adamw(hyperparameters, rate)}, labels
    )
    return transformation, schedules.from_hyperparameters(hyperparameters, spike_phase=1)
