"""SPlus in JAX, as an optax transformation; see `submission.py` for the update.

Deviation from `submission.py`: projections use float32. Bases are refreshed under `lax.cond`, so
that a step computes only those due.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.core.errors import UnknownNameError
from harness.submission.interface import Built, Hyperparameters, Problem
from submissions.common import schedules
from submissions.common.precision_jax import bound_gradient
from submissions.common.signs_jax import signs
from submissions.common.staggering_jax import is_due
from submissions.common.transformations_jax import Arrays, Factor, stateful_with_factor
from submissions.common.two_sided_jax import SIDES, Entry, accumulate, start_factors

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""Matrix steps already scale with width, and no single rule fits both them and the rest."""
FORMS = ("paper", "thesis")
TINY = 1.1754944e-38
"""The smallest normal float32."""


class SplusState(NamedTuple):
    """Step count, and for each parameter its momentum, average, factors and bases."""

    step: jax.Array
    entries: dict[str, Entry]


def splus(names: Sequence[str], point: Hyperparameters) -> optax.GradientTransformationExtraArgs:
    """The whole update; its argument `factor` is the schedule's.

    Args:
        names: keys of all arrays, in the order in which their bases are refreshed.
        point: `learning_rate`, `weight_decay`, `beta1`, `beta2`, `average_beta`, `form`,
            `vector_scale`, `refresh_every`, `stagger` and `max_dim`.
    """
    alpha, decay = point["average_beta"], point["weight_decay"]

    def init(params: Arrays) -> SplusState:
        entries = {name: _start(params[name], point) for name in names}
        return SplusState(jnp.zeros((), jnp.int32), entries)

    def update(
        updates: Arrays, state: SplusState, params: Arrays, factor: Factor
    ) -> tuple[Arrays, SplusState]:
        changes, entries = {}, {}
        for name in names:
            w, old = params[name], state.entries[name]
            entry, direction, scale = _direction(old, bound_gradient(updates[name]), point)
            rate = point["learning_rate"] * factor * scale
            new_value = (w - rate * direction.reshape(w.shape)) * (1 - rate * decay)
            entry["average"] = alpha * old["average"] + (1 - alpha) * new_value
            changes[name], entries[name] = new_value - w, entry
        sides = [(n, side) for n in names for side in SIDES if side in entries[n]]
        for place, (name, side) in enumerate(sides):
            period, stagger = point["refresh_every"], point["stagger"]
            is_turn = is_due(place, len(sides), state.step, period, stagger=stagger)
            entries[name] = _refresh_basis(entries[name], side, is_turn | (state.step == 0))
        return changes, SplusState(state.step + 1, entries)

    return stateful_with_factor(init, update)


def _start(parameter: jax.Array, point: Hyperparameters) -> Entry:
    entry = {"momentum": jnp.zeros_like(parameter), "average": jnp.zeros_like(parameter)}
    if parameter.ndim < 2 or point["form"] != "paper":
        return entry
    matrix = parameter.reshape(len(parameter), -1)
    return entry | start_factors(matrix, point["max_dim"], "basis")


def _direction(
    entry: Entry, g: jax.Array, point: Hyperparameters
) -> tuple[Entry, jax.Array, float]:
    """The entry with this gradient, the bounded direction and its learning-rate multiplier s."""
    if point["form"] == "thesis":
        rows, columns = g.reshape(len(g), -1).shape if g.ndim > 1 else (1, 1)
        return dict(entry), g / jnp.maximum(jnp.linalg.norm(g), TINY), (rows / columns) ** 0.5
    momentum = point["beta1"] * entry["momentum"] + (1 - point["beta1"]) * g
    if g.ndim < 2:
        return {**entry, "momentum": momentum}, signs(momentum), point["vector_scale"]
    matrix = g.reshape(len(g), -1)
    new = {**accumulate(entry, matrix, point["beta2"]), "momentum": momentum}
    left, right = entry.get("left_basis"), entry.get("right_basis")
    rotated_direction = momentum.reshape(matrix.shape)
    rotated_direction = rotated_direction if left is None else left.T @ rotated_direction
    rotated_direction = signs(rotated_direction if right is None else rotated_direction @ right)
    rotated_direction = rotated_direction if left is None else left @ rotated_direction
    direction = rotated_direction if right is None else rotated_direction @ right.T
    has_bases = max(matrix.shape) <= point["max_dim"]
    return new, direction, 2.0 / sum(matrix.shape) if has_bases else point["vector_scale"]


def _refresh_basis(entry: Entry, side: str, is_turn: jax.Array) -> Entry:
    def basis(factor: jax.Array) -> jax.Array:
        vectors: jax.Array = jnp.linalg.eigh(factor)[1]
        return vectors[:, ::-1]

    old = entry[f"{side}_basis"]
    new: jax.Array = jax.lax.cond(is_turn, basis, lambda _: old, entry[side])
    return {**entry, f"{side}_basis": new}


def build(problem: Problem[jax.Array], hyperparameters: Hyperparameters) -> Built:
    """SPlus on all parameters; the corrected average is evaluated."""
    if hyperparameters["form"] not in FORMS:
        raise UnknownNameError("form", hyperparameters["form"], FORMS)
    alpha = hyperparameters["average_beta"]

    def eval_parameters(state: SplusState, params: Arrays) -> Arrays:
        correction = 1 - alpha ** jnp.maximum(state.step, 1)
        return {
            name: jnp.where(state.step > 0, state.entries[name]["average"] / correction, w)
            for name, w in params.items()
        }

    return Built(
        splus(list(problem.specs), hyperparameters),
        schedules.from_hyperparameters(hyperparameters, spike_phase=1),
        eval_parameters=eval_parameters,
        takes_factor=True,
    )
