"""The two approximate inverses of Martens and Grosse (2015), section 4, as products with gradients.

With A~_i and S~_i the damped covariances of layer i's inputs and output gradients, A_{i,i+1} and
S_{i,i+1} those between neighbours, and V_i a layer's gradient, (out, in),

    diagonal      U_i = S~_i^-1 V_i A~_i^-1
    tridiagonal   U = Xi^T Lambda Xi V,   Xi: V_i - Psi^S_i V_{i+1} Psi^A_i^T

where Psi^A_i = A_{i,i+1} A~_{i+1}^-1, Psi^S_i alike, and Lambda inverts for each layer
A~_i (x) S~_i - (Psi^A_i A~_{i+1} Psi^A_i^T) (x) (Psi^S_i S~_{i+1} Psi^S_i^T), for the last one
A~ (x) S~ alone. The matrix that `tridiagonal` inverts agrees with the Fisher's approximation
on the diagonal blocks and on those beside them. A difference of two Kronecker products is inverted
by the eigenvectors of A~^-1/2 C A~^-1/2 and S~^-1/2 D S~^-1/2 (their appendix B).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import torch
from torch import Tensor

from submissions.common.kronecker_factors import damped_inverse, factored_damping


class Factors(TypedDict):
    """Averages over batches; the last two have one entry fewer, of layers i and i + 1."""

    a: list[Tensor]
    """E[a_i a_i^T], (in, in)."""
    s: list[Tensor]
    """E[g_i g_i^T], (out, out)."""
    a_next: list[Tensor]
    s_next: list[Tensor]


class Parts(TypedDict):
    """What multiplying by the inverse needs, as lists over the layers."""

    left: list[Tensor]
    """S~^-1, or the vectors K_S of the difference's inverse."""
    right: list[Tensor]
    """A~^-1, or K_A."""
    quotients: list[Tensor]
    """1 - t_S t_A^T, (out, in); none for `diagonal`."""
    psi_a: list[Tensor]
    psi_s: list[Tensor]


def diagonal(factors: Factors, gamma: float) -> Parts:
    """The parts of the block-diagonal inverse, damped by gamma on each side."""
    left, right = [], []
    for a, s in zip(factors["a"], factors["s"], strict=True):
        for_a, for_s = factored_damping(a, s, gamma)
        right.append(damped_inverse(a, for_a))
        left.append(damped_inverse(s, for_s))
    return {"left": left, "right": right, "quotients": [], "psi_a": [], "psi_s": []}


def tridiagonal(factors: Factors, gamma: float) -> Parts:
    """The parts of the block-tridiagonal inverse."""
    damped_factors = [_damp(*pair, gamma) for pair in zip(factors["a"], factors["s"], strict=True)]
    parts: Parts = {"left": [], "right": [], "quotients": [], "psi_a": [], "psi_s": []}
    for i, (a, s) in enumerate(damped_factors):
        c, d = torch.zeros_like(a), torch.zeros_like(s)
        if i + 1 < len(damped_factors):
            a_after, s_after = damped_factors[i + 1]
            psi_a = torch.linalg.solve(a_after, factors["a_next"][i], left=False)
            psi_s = torch.linalg.solve(s_after, factors["s_next"][i], left=False)
            c, d = psi_a @ a_after @ psi_a.mT, psi_s @ s_after @ psi_s.mT
            parts["psi_a"].append(psi_a)
            parts["psi_s"].append(psi_s)
        vectors_a, values_a = _whiten(a, c)
        vectors_s, values_s = _whiten(s, d)
        parts["right"].append(vectors_a)
        parts["left"].append(vectors_s)
        parts["quotients"].append(1.0 - values_s[:, None] * values_a)
    return parts


def apply_inverse(parts: Parts, gradients: Sequence[Tensor]) -> list[Tensor]:
    """The inverse times the gradients, a matrix (out, in) each."""
    sides = list(zip(parts["left"], parts["right"], strict=True))
    if not parts["quotients"]:
        return [s @ v @ a for (s, a), v in zip(sides, gradients, strict=True)]
    pairs = list(zip(parts["psi_s"], parts["psi_a"], strict=True))
    first = [v.clone() for v in gradients]
    for i, (psi_s, psi_a) in enumerate(pairs):
        first[i] -= psi_s @ gradients[i + 1] @ psi_a.mT
    solutions = [
        s @ ((s.mT @ v @ a) / quotient) @ a.mT
        for (s, a), v, quotient in zip(sides, first, parts["quotients"], strict=True)
    ]
    last = [u.clone() for u in solutions]
    for i, (psi_s, psi_a) in enumerate(pairs):
        last[i + 1] -= psi_s.mT @ solutions[i] @ psi_a
    return last


INVERSES = {"diagonal": diagonal, "tridiagonal": tridiagonal}


def _damp(a: Tensor, s: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    for_a, for_s = factored_damping(a, s, gamma)
    return a + for_a * torch.eye(len(a)).to(a), s + for_s * torch.eye(len(s)).to(s)


def _whiten(matrix: Tensor, inner: Tensor) -> tuple[Tensor, Tensor]:
    """K = M^-1/2 E and t, with M^-1/2 N M^-1/2 = E diag(t) E^T."""
    values, vectors = torch.linalg.eigh(matrix)
    root = vectors * values.clamp_min(torch.finfo(values.dtype).tiny).rsqrt() @ vectors.mT
    spectrum, basis = torch.linalg.eigh(root @ inner @ root)
    return root @ basis, spectrum
