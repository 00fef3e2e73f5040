"""Shampoo in JAX, as an optax transformation; see `submission.py` for the update.

Deviations from `submission.py`: products with roots use float32, matrices are not split into blocks
(`block_side` must be 0), and roots come from eigendecompositions (`roots` must be "eigen"), each
under `lax.cond`, so that a step computes only the roots due.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from harness.core.errors import HarnessError, UnknownNameError
from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.precision_jax import bound_gradients
from submissions.common.staggering_jax import is_due
from submissions.common.transformations_jax import Arrays, stateful
from submissions.common.two_sided_jax import SIDES, Entry, accumulate, start_factors
from workloads.parameters import Role

ROLES = (Role.HIDDEN_MATRIX, Role.CONVOLUTION, Role.OUTPUT, Role.EMBEDDING)
GRAFTS = ("adam", "none", "sgd")
Between = Callable[[Entry, jax.Array], jax.Array]
"""P_t, from the roots and M^_t."""
TINY = 1.1754944e-38
"""The smallest normal float32."""


class ShampooState(NamedTuple):
    """Step count, and for each parameter its momentum, second moment, factors and roots."""

    step: jax.Array
    entries: dict[str, Entry]


def between_roots(entry: Entry, average: jax.Array) -> jax.Array:
    """Shampoo's P_t."""
    direction = entry["left_root"] @ average if "left" in entry else average
    return direction @ entry["right_root"] if "right" in entry else direction


def shampoo(
    names: Collection[str], point: Hyperparameters, between: Between = between_roots
) -> optax.GradientTransformation:
    """Transform gradients, a dictionary of (out, ...) arrays, into the grafted P_t.

    Args:
        names: keys of the arrays to transform; the others pass through unchanged.
        point: `beta1`, `beta2`, `power`, `damping`, `refresh_every`, `start`, `max_dim`, `graft`,
            `graft_beta2`, `epsilon` and, for a relative, `nesterov`.
        between: combines the roots; by default Shampoo's product.

    Raises:
        HarnessError: the graft is unknown, or blocks or Newton roots are requested.
    """
    if point["graft"] not in GRAFTS:
        raise UnknownNameError("graft", point["graft"], GRAFTS)
    if point.get("block_side", 0):
        raise HarnessError(f"block_side is {point['block_side']}", "allowed in jax: 0")
    if point.get("roots", "eigen") != "eigen":
        raise HarnessError(f"roots is {point['roots']!r}", "allowed in jax: 'eigen'")

    def init(params: Arrays) -> ShampooState:
        entries = {name: _start(params[name], point) for name in names}
        return ShampooState(jnp.zeros((), jnp.int32), entries)

    def update(updates: Arrays, state: ShampooState, params: Arrays) -> tuple[Arrays, ShampooState]:
        del params
        step, period = state.step + 1, point["refresh_every"]
        since = step - point["start"]
        gradients = {n: updates[n].reshape(updates[n].shape[0], -1) for n in names}
        entries = {n: _accumulate(state.entries[n], g, point) for n, g in gradients.items()}
        sides = [(n, side) for n in entries for side in SIDES if side in entries[n]]
        first = dict.fromkeys(entries, 0)
        for place, (name, side) in enumerate(sides):
            is_turn = is_due(place, len(sides), since, period)
            entries[name] = _refresh_root(entries[name], side, step, is_turn, point)
            first[name] = place * period // len(sides)
        directions = {}
        for name, entry in entries.items():
            average = _average(entry, gradients[name], step, point)
            graft = _graft(entry, average, step, point)
            direction = graft
            if "left" in entry or "right" in entry:
                own = _rescale_to_graft(between(entry, average), graft, point)
                direction = jnp.where(since >= first[name], own, graft)
            directions[name] = direction.reshape(updates[name].shape)
        return {**updates, **directions}, ShampooState(step, entries)

    return stateful(init, update)


def _start(parameter: jax.Array, point: Hyperparameters) -> Entry:
    matrix = jnp.zeros_like(parameter.reshape(parameter.shape[0], -1))
    return {"momentum": matrix, "second": matrix, **start_factors(matrix, point["max_dim"], "root")}


def _accumulate(entry: Entry, g: jax.Array, point: Hyperparameters) -> Entry:
    beta1, decay = point["beta1"], point["graft_beta2"]
    new = accumulate(entry, g, point["beta2"])
    new["momentum"] = beta1 * entry["momentum"] + (1 - beta1) * g
    new["second"] = decay * entry["second"] + (1 - decay) * g**2
    return new


def _refresh_root(
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
    damped_values = jnp.maximum(values, 0.0) + damping * largest
    root: jax.Array = (vectors * damped_values**-power) @ vectors.T
    return root


def _average(entry: Entry, g: jax.Array, step: jax.Array, point: Hyperparameters) -> jax.Array:
    """M^_t; with `nesterov` the average looks ahead."""
    beta1, average = point["beta1"], entry["momentum"]
    if point.get("nesterov", False):
        average = beta1 * average + (1 - beta1) * g
    corrected_average: jax.Array = average / (1 - beta1**step)
    return corrected_average


def _graft(entry: Entry, average: jax.Array, step: jax.Array, point: Hyperparameters) -> jax.Array:
    """Q_t, or M^_t for the graft `none`."""
    if point["graft"] != "adam":
        return average
    second = entry["second"] / (1 - point["graft_beta2"] ** step)
    direction: jax.Array = average / (jnp.sqrt(second) + point["epsilon"])
    return direction


def _rescale_to_graft(direction: jax.Array, graft: jax.Array, point: Hyperparameters) -> jax.Array:
    if point["graft"] == "none":
        return direction
    norm = jnp.maximum(jnp.linalg.norm(direction), TINY)
    scaled_direction: jax.Array = direction * (jnp.linalg.norm(graft) / norm)
    return scaled_direction


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """Shampoo on matrices and kernels, AdamW on the rest, with their shared schedule."""
    return build_relative(problem, hyperparameters)


def build_relative(
    problem: Problem[jax.Array],
    hyperparameters: Hyperparameters,
    between: Between = between_roots,
) -> tuple[optax.GradientTransformation, Schedule]:
    """Shampoo or a relative, AdamW on the rest; `between` as for `shampoo`."""
    kinds = {n: "matrix" if s.role in ROLES else "rest" for n, s in problem.specs.items()}
    rate, decay = hyperparameters["learning_rate"], hyperparameters["weight_decay"]
    names = [name for name, kind in kinds.items() if kind == "matrix"]
    matrices = optax.chain(
        shampoo(names, hyperparameters, between),
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
    transformation = optax.chain(bound_gradients(), transformation)
    phase = int(hyperparameters["start"]) - 1
    return transformation, schedules.from_hyperparameters(hyperparameters, phase)
