"""Shampoo in JAX, as an optax transformation; see `submission.py` for the update.

Deviations from `submission.py`: products with roots use float32, matrices are not split into blocks
(`block_side` must be 0), and roots come from eigendecompositions (`roots` must be "eigen"), each
under `lax.cond`, so that a step computes only the roots due.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.staggering_jax import is_due
from workloads.parameters import Role

ROLES = (Role.HIDDEN_MATRIX, Role.CONVOLUTION, Role.OUTPUT, Role.EMBEDDING)
GRAFTS = ("adam", "none", "sgd")
SIDES = ("left", "right")
Entry = dict[str, jax.Array]
TINY = 1.1754944e-38
"""The smallest normal float32."""


class ShampooState(NamedTuple):
    """Step count, and for each parameter its momentum, second moment, factors and roots."""

    step: jax.Array
    entries: dict[str, Entry]


def shampoo(names: Collection[str], point: Hyperparameters) -> optax.GradientTransformation:
    """Transform gradients, a dictionary of (out, ...) arrays, into the grafted P_t.

    Args:
        names: keys of the arrays to transform; the others pass through unchanged.
        point: `beta1`, `beta2`, `power`, `damping`, `refresh_every`, `start`, `max_dim`, `graft`,
            `graft_beta2` and `epsilon`.

    Raises:
        HarnessError: the graft is unknown, or blocks or Newton roots are requested.
    """
    if point["graft"] not in GRAFTS:
        raise UnknownNameError("graft", point["graft"], GRAFTS)
    if point.get("block_side", 0):
        raise HarnessError(f"block_side is {point['block_side']}", "allowed in jax: 0")
    if point.get("roots", "eigen") != "eigen":
        raise HarnessError(f"roots is {point['roots']!r}", "allowed in jax: 'eigen'")

    def init(params: Any) -> ShampooState:
        entries = {name: _start(params[name], point) for name in names}
        return ShampooState(jnp.zeros((), jnp.int32), entries)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        del params
        step, period = state.step + 1, point["refresh_every"]
        since = step - point["start"]
        gradients = {n: updates[n].reshape(updates[n].shape[0], -1) for n in names}
        entries = {n: _accumulate(state.entries[n], g, point) for n, g in gradients.items()}
        sides = [(n, side) for n in entries for side in SIDES if side in entries[n]]
        first = dict.fromkeys(entries, 0)
        for place, (name, side) in enumerate(sides):
            is_turn = is_due(place, len(sides), since, period)
            entries[name] = _refreshed(entries[name], side, step, is_turn, point)
            first[name] = place * period // len(sides)
        directions = {
            name: _direction(entry, step, since >= first[name], point).reshape(updates[name].shape)
            for name, entry in entries.items()
        }
        return {**updates, **directions}, ShampooState(step, entries)

    return optax.GradientTransformation(init, update)


def _start(parameter: jax.Array, point: Hyperparameters) -> Entry:
    matrix = jnp.zeros_like(parameter.reshape(parameter.shape[0], -1))
    entry = {"momentum": matrix, "second": matrix}
    for side, size in zip(SIDES, matrix.shape, strict=True):
        if size <= point["max_dim"]:
            entry[side] = jnp.zeros((size, size), matrix.dtype)
            entry[f"{side}_root"] = jnp.eye(size, dtype=matrix.dtype)
    return entry


def _accumulate(entry: Entry, g: jax.Array, point: Hyperparameters) -> Entry:
    beta1, beta2, decay = point["beta1"], point["beta2"], point["graft_beta2"]
    weight = 1.0 if beta2 == 1.0 else 1.0 - beta2
    new = dict(entry)
    new["momentum"] = beta1 * entry["momentum"] + (1 - beta1) * g
    new["second"] = decay * entry["second"] + (1 - decay) * g**2
    if "left" in entry:
        new["left"] = beta2 * entry["left"] + weight * g @ g.T
    if "right" in entry:
        new["right"] = beta2 * entry["right"] + weight * g.T @ g
    return new


def _refreshed(
    entry: Entry, side: str, step: jax.Array, is_turn: jax.Array, point: Hyperparameters
) -> Entry:
    both = "left" in entry and "right" in entry
    power = point["power"] if both else 2 * point["power"]
    beta2 = point["beta2"]
    # the average starts at zero, a sum does not
    scale = 1.0 if beta2 == 1.0 else (1.0 - beta2**step) ** power
    old = entry[f"{side}_root"]

    def root(factor: jax.Array) -> jax.Array:
        return scale * _inverse_root(factor, power, point["damping"])

    new: jax.Array = jax.lax.cond(is_turn, root, lambda _: old, entry[side])
    return {**entry, f"{side}_root": new}


def _inverse_root(matrix: jax.Array, power: float, damping: float) -> jax.Array:
    """(A + lambda ||A||_2 I)^-p, as in `common.inverse_roots`."""
    values, vectors = jnp.linalg.eigh(matrix)
    largest = jnp.maximum(values[-1], TINY**0.5)
    damped = jnp.maximum(values, 0.0) + damping * largest
    root: jax.Array = (vectors * damped**-power) @ vectors.T
    return root


def _direction(
    entry: Entry, step: jax.Array, is_ready: jax.Array, point: Hyperparameters
) -> jax.Array:
    average = entry["momentum"] / (1 - point["beta1"] ** step)
    graft: jax.Array = average
    if point["graft"] == "adam":
        second = entry["second"] / (1 - point["graft_beta2"] ** step)
        graft = average / (jnp.sqrt(second) + point["epsilon"])
    if "left" not in entry and "right" not in entry:
        return graft
    direction = entry["left_root"] @ average if "left" in entry else average
    direction = direction @ entry["right_root"] if "right" in entry else direction
    if point["graft"] != "none":
        norm = jnp.maximum(jnp.linalg.norm(direction), TINY)
        direction = direction * (jnp.linalg.norm(graft) / norm)
    result: jax.Array = jnp.where(is_ready, direction, graft)
    return result


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """Shampoo on matrices and kernels, AdamW on the rest, with their shared schedule."""
    kinds = {n: "matrix" if s.role in ROLES else "rest" for n, s in problem.specs.items()}
    rate, decay = hyperparameters["learning_rate"], hyperparameters["weight_decay"]
    matrices = optax.chain(
        shampoo([name for name, kind in kinds.items() if kind == "matrix"], hyperparameters),
        optax.add_decayed_weights(decay),
        optax.scale_by_learning_rate(rate),
    )
    rest = optax.adamw(
        rate,
        b1=hyperparameters["adam_beta1"],
        b2=hyperparameters["adam_beta2"],
        eps=hyperparameters["epsilon"],
        weight_decay=decay,
    )
    transformation = optax.multi_transform({"matrix": matrices, "rest": rest}, kinds)
    phase = int(hyperparameters["start"]) - 1
    return transformation, schedules.from_hyperparameters(hyperparameters, phase)
