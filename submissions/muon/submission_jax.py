"""Muon in JAX: the source's momentum followed by optax's Newton-Schulz; see `submission.py`.

Deviations from `optax.contrib.muon`: optax bias-corrects the momentum in the Nesterov form, which
the source does not; it scales matrices as (in, out), here they are (out, in); and it uses NAdam for
all other parameters, where this uses AdamW. Products are float32 unless `matmul_dtype` says
otherwise. The norm "tight" is optax's "schatten", ||M~ M~^T||_F^(1/2), at any size.
"""

from __future__ import annotations

import math
from typing import Literal, TypeVar, cast

import jax
import jax.numpy as jnp
import optax

from harness.core.errors import UnknownNameError
from harness.submission.interface import Hyperparameters, Problem, Schedule
from submissions.common import schedules
from submissions.common.adamw_jax import adamw
from submissions.common.newton_schulz import iterations
from submissions.common.transformations_jax import Arrays, stateless
from workloads.parameters import ParameterSpec, Role

PARAMETRISATION_RULES: tuple[str, ...] = ()
"""No single rule fits both the orthogonalised matrices and the parameters left to AdamW."""
ROLES = (Role.HIDDEN_MATRIX, Role.CONVOLUTION)
PRECONDITIONING: dict[str, Literal["frobenius", "schatten"]] = {
    "frobenius": "frobenius",
    "tight": "schatten",
}
"""optax's name for each norm of `submission.py`."""
NESTEROV = ("none", "source")
TreeT = TypeVar("TreeT")
EPSILON = 1e-7
OPTAX_FLOOR = 1e-4
"""Lower bound on optax's "schatten" norm, which cannot be set: matrices are scaled so that it
equals f of `submission.py`.
"""


def momentum(beta: float, nesterov: str) -> optax.GradientTransformation:
    """Transform gradients into M~, in one of the two forms of `submission.py`."""
    if nesterov not in NESTEROV:
        raise UnknownNameError("nesterov", nesterov, NESTEROV)

    def direction(gradient: jax.Array, now: jax.Array) -> jax.Array:
        return gradient + beta * now if nesterov == "source" else now

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        del params
        now = jax.tree.map(lambda m, g: beta * m + g, state, updates)
        return jax.tree.map(direction, updates, now), now

    return optax.GradientTransformation(lambda params: jax.tree.map(jnp.zeros_like, params), update)


def newton_schulz(matrices: TreeT, point: Hyperparameters, floor: float) -> TreeT:
    """X_K of every matrix of a tree; `floor` is f of `submission.py`."""
    # Without momentum optax's transformation is just the iteration, which commutes with
    # transposition, so the layout does not matter here.
    sign = optax.contrib.scale_by_muon(
        ns_coeffs=iterations(point["coefficients"], point["newton_schulz_steps"]),
        beta=0.0,
        eps=OPTAX_FLOOR,
        nesterov=False,
        preconditioning=PRECONDITIONING[point["norm"]],
        weight_dimension_numbers=_numbers,
    )
    dtype = jnp.dtype(point["matmul_dtype"].replace("auto", "float32"))
    scaled_matrices = jax.tree.map(lambda m: (m * (OPTAX_FLOOR / floor)).astype(dtype), matrices)
    return cast("TreeT", sign.update(scaled_matrices, sign.init(scaled_matrices))[0])


def orthogonalise(
    specs: dict[str, ParameterSpec], hyperparameters: Hyperparameters, is_scaled: bool = True
) -> optax.GradientTransformation:
    """Transform M~ into s X_K, or X_K alone, for a dictionary of parameters (out, ...)."""
    scaling = hyperparameters["scaling"] if is_scaled else "thesis"
    floor = EPSILON / (1 - hyperparameters["momentum"])

    def update(updates: Arrays) -> Arrays:
        own = {name: updates[name] for name in specs}
        parts = {n: as_matrices(x.reshape(len(x), -1), specs[n]) for n, x in own.items()}
        signs = newton_schulz(parts, hyperparameters, floor)
        scaled_signs = {
            name: jnp.concatenate([m * scale(m, scaling) for m in signs[name]]) for name in specs
        }
        steps = {
            name: scaled_signs[name].reshape(x.shape).astype(x.dtype) for name, x in own.items()
        }
        return {**updates, **steps}

    return stateless(update)


def as_matrices(x: jax.Array, spec: ParameterSpec) -> list[jax.Array]:
    """The matrices that are fused along the first dimension of x; x alone if none are."""
    edges = [sum(spec.splits[:i]) for i in range(1, len(spec.splits))]
    return list(jnp.split(x, edges))


def _numbers(updates: optax.Updates) -> optax.Params:
    numbers: optax.Params = jax.tree.map(lambda _: optax.contrib.MuonDimensionNumbers(), updates)
    return numbers


def scale(matrix: jax.Array, scaling: str) -> float:
    """The scale s of the update of a matrix (rows, columns)."""
    rows, columns = matrix.shape
    if scaling == "rms":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1.0, rows / columns)) if scaling == "source" else 1.0


def build(
    problem: Problem[jax.Array], hyperparameters: Hyperparameters
) -> tuple[optax.GradientTransformation, Schedule]:
    """Muon on hidden matrices and kernels, AdamW on the rest, with their shared schedule."""
    hidden = {name: spec for name, spec in problem.specs.items() if spec.role in ROLES}
    direction = momentum(hyperparameters["momentum"], hyperparameters["nesterov"])
    muon = optax.chain(direction, orthogonalise(hidden, hyperparameters))
    return beside_adamw(muon, problem, hyperparameters)


def beside_adamw(
    hidden: optax.GradientTransformation,
    problem: Problem[jax.Array],
    hyperparameters: Hyperparameters,
) -> tuple[optax.GradientTransformation, Schedule]:
    """A direction for hidden matrices and kernels, with decay, and AdamW on the rest."""
    muon = optax.chain(
        hidden,
        optax.add_decayed_weights(hyperparameters["weight_decay"]),
        optax.scale_by_learning_rate(hyperparameters["learning_rate"]),
    )
    labels = {n: "muon" if spec.role in ROLES else "rest" for n, spec in problem.specs.items()}
    transformation = optax.multi_transform(
        {"muon": muon, "rest": adamw(hyperparameters, "adam_learning_rate")}, labels
    )
    return transformation, schedules.from_hyperparameters(hyperparameters)
