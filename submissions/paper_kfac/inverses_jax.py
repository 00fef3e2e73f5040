"""The two approximate inverses of Martens and Grosse (2015) in JAX; formulas: `inverses`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict

import jax.numpy as jnp
from jax import Array

from submissions.common.kronecker_factors_jax import damped_inverse, factored_damping
from submissions.common.methods_jax import TINY


class Factors(TypedDict):
    """Averages over batches; the last two have one entry fewer, of layers i and i + 1."""

    a: list[Array]
    """E[a_i a_i^T], (in, in)."""
    s: list[Array]
    """E[g_i g_i^T], (out, out)."""
    a_next: list[Array]
    s_next: list[Array]


class Parts(TypedDict):
    """What multiplying by the inverse needs, as lists over the layers."""

    left: list[Array]
    """S~^-1, or the vectors K_S of the difference's inverse."""
    right: list[Array]
    """A~^-1, or K_A."""
    quotients: list[Array]
    """1 - t_S t_A^T, (out, in); none for `diagonal`."""
    psi_a: list[Array]
    psi_s: list[Array]


def diagonal(factors: Factors, gamma: Array) -> Parts:
    """The parts of the block-diagonal inverse, damped by gamma on each side."""
    parts: Parts = {"left": [], "right": [], "quotients": [], "psi_a": [], "psi_s": []}
    for a, s in zip(factors["a"], factors["s"], strict=True):
        for_a, for_s = factored_damping(a, s, gamma)
        parts["right"].append(damped_inverse(a, for_a))
        parts["left"].append(damped_inverse(s, for_s))
    return parts


def tridiagonal(factors: Factors, gamma: Array) -> Parts:
    """The parts of the block-tridiagonal inverse."""
    damped_factors = [_damp(*pair, gamma) for pair in zip(factors["a"], factors["s"], strict=True)]
    parts: Parts = {"left": [], "right": [], "quotients": [], "psi_a": [], "psi_s": []}
    for i, (a, s) in enumerate(damped_factors):
        c, d = jnp.zeros_like(a), jnp.zeros_like(s)
        if i + 1 < len(damped_factors):
            a_after, s_after = damped_factors[i + 1]
            psi_a = jnp.linalg.solve(a_after, factors["a_next"][i].T).T
            psi_s = jnp.linalg.solve(s_after, factors["s_next"][i].T).T
            c, d = psi_a @ a_after @ psi_a.T, psi_s @ s_after @ psi_s.T
            parts["psi_a"].append(psi_a)
            parts["psi_s"].append(psi_s)
        vectors_a, values_a = _whiten(a, c)
        vectors_s, values_s = _whiten(s, d)
        parts["right"].append(vectors_a)
        parts["left"].append(vectors_s)
        parts["quotients"].append(1.0 - values_s[:, None] * values_a)
    return parts


def apply_inverse(parts: Parts, gradients: Sequence[Array]) -> list[Array]:
    """The inverse times the gradients, a matrix (out, in) each."""
    sides = list(zip(parts["left"], parts["right"], strict=True))
    if not parts["quotients"]:
        return [s @ v @ a for (s, a), v in zip(sides, gradients, strict=True)]
    pairs = list(zip(parts["psi_s"], parts["psi_a"], strict=True))
    first = list(gradients)
    for i, (psi_s, psi_a) in enumerate(pairs):
        first[i] = first[i] - psi_s @ gradients[i + 1] @ psi_a.T
    solutions = [
        s @ ((s.T @ v @ a) / quotient) @ a.T
        for (s, a), v, quotient in zip(sides, first, parts["quotients"], strict=True)
    ]
    last = list(solutions)
    for i, (psi_s, psi_a) in enumerate(pairs):
        last[i + 1] = last[i + 1] - psi_s.T @ solutions[i] @ psi_a
    return last


INVERSES: dict[str, Callable[[Factors, Array], Parts]] = {
    "diagonal": diagonal,
    "tridiagonal": tridiagonal,
}


def _damp(a: Array, s: Array, gamma: Array) -> tuple[Array, Array]:
    for_a, for_s = factored_damping(a, s, gamma)
    return a + for_a * jnp.eye(len(a)), s + for_s * jnp.eye(len(s))


def _whiten(matrix: Array, inner: Array) -> tuple[Array, Array]:
    """K = M^-1/2 E and t, with M^-1/2 N M^-1/2 = E diag(t) E^T."""
    values, vectors = jnp.linalg.eigh(matrix)
    root = vectors / jnp.sqrt(jnp.maximum(values, TINY)) @ vectors.T
    spectrum, basis = jnp.linalg.eigh(root @ inner @ root)
    return root @ basis, spectrum
