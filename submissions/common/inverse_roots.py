"""Inverse roots of symmetric positive semidefinite matrices.

Computed by eigendecomposition, which is exact and three times as fast on a CPU, or by a coupled
Newton iteration, which needs only matrix products.
"""

from __future__ import annotations

import torch

from harness.core.errors import HarnessError
from submissions.common.eigenbasis import Failures, decompose, failures_of

NEWTON_ITERATIONS = 100
NEWTON_TOLERANCE = 1e-6
NEWTON_CLOSE = 0.1
"""Below this error, an iteration without improvement has reached the limit of its precision."""
POWER_ITERATIONS = 100


def inverse_root(
    matrix: torch.Tensor, power: float, damping: float, failures: Failures | None = None
) -> torch.Tensor | None:
    """(A + lambda ||A||_2 I)^-p.

    The damping is relative to the largest eigenvalue because the error of an eigendecomposition is
    too: absolute damping would amplify noise where gradients are small.

    Args:
        matrix: A, symmetric positive semidefinite up to rounding, (n, n).
        power: exponent of the inverse root (p).
        damping: damping relative to the largest eigenvalue (lambda).
        failures: counts of failed eigendecompositions to add to, as for `eigenbasis.decompose`.

    Returns:
        The root, (n, n); NaN if A is not finite, so that divergence shows up in the step; None if
        no decomposition converged.
    """
    pair = decompose(matrix, failures_of({}) if failures is None else failures)
    if pair is None:
        return None
    values, vectors = pair
    largest = values[-1].clamp(min=torch.finfo(matrix.dtype).tiny ** 0.5)
    damped_values = values.clamp(min=0.0) + damping * largest
    root: torch.Tensor = (vectors * damped_values.pow(-power)) @ vectors.mT
    return root


def coupled_newton(
    matrix: torch.Tensor, power: float, damping: float, failures: Failures | None = None
) -> torch.Tensor:
    """(A + lambda ||A||_2 I)^-p for p = 1 / k with integer k; arguments as for `inverse_root`.

        M_0 = z A,   X_0 = z^(1/k) I,   z = (1 + k) / (2 ||A||_F)
        T_i = ((k + 1) I - M_i) / k,   X_{i+1} = X_i T_i,   M_{i+1} = T_i^k M_i

    until M equals the identity up to rounding. Guo and Higham (2006), Algorithm 3.2, as used by
    Anil et al. (2020) for Shampoo.

    Raises:
        HarnessError: 1 / p is not an integer.
    """
    del failures  # no decomposition, so none that fails
    order = round(1 / power)
    if abs(order * power - 1) > 1e-6:
        raise HarnessError(f"coupled Newton for the power {power}", "allowed: 1, 1/2, 1/3, ...")
    identity = torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device)
    damped_matrix = matrix + damping * largest_eigenvalue(matrix) * identity
    z = (1 + order) / (2 * torch.linalg.matrix_norm(damped_matrix))
    x: torch.Tensor = z**power * identity
    m = z * damped_matrix
    error = float("inf")
    for _ in range(NEWTON_ITERATIONS):
        last, error = error, float((m - identity).abs().max())
        if error < NEWTON_TOLERANCE or last <= error < NEWTON_CLOSE:
            break
        t = ((order + 1) * identity - m) / order
        x, m = x @ t, torch.linalg.matrix_power(t, order) @ m
    return x


def largest_eigenvalue(matrix: torch.Tensor) -> torch.Tensor:
    """||A||_2 of a symmetric positive semidefinite matrix (n, n), by power iteration."""
    vector = matrix.sum(1) + matrix.diagonal()
    for _ in range(POWER_ITERATIONS):
        vector = matrix @ _unit(vector)
    norm: torch.Tensor = torch.linalg.vector_norm(vector)
    return norm.clamp_(min=torch.finfo(matrix.dtype).tiny ** 0.5)


def _unit(vector: torch.Tensor) -> torch.Tensor:
    norm: torch.Tensor = torch.linalg.vector_norm(vector)
    return vector / norm.clamp(min=torch.finfo(vector.dtype).tiny)
