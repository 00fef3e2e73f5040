"""Inverse roots of symmetric positive semidefinite matrices, by eigendecomposition."""

from __future__ import annotations

import torch


def inverse_root(matrix: torch.Tensor, power: float, damping: float) -> torch.Tensor:
    """(A + lambda ||A||_2 I)^-p.

    The damping is relative to the largest eigenvalue: the error of an eigendecomposition is too,
    so that an absolute one would amplify noise where gradients are small.

    Args:
        matrix: A, symmetric positive semidefinite up to rounding, (n, n).
        power: p.
        damping: lambda.

    Returns:
        The root, (n, n); A itself where A is not finite, so that divergence shows in the step.
    """
    if not bool(torch.isfinite(matrix).all()):
        return matrix
    values, vectors = torch.linalg.eigh(matrix)
    largest = values[-1].clamp(min=torch.finfo(matrix.dtype).tiny ** 0.5)
    damped = values.clamp(min=0.0) + damping * largest
    root: torch.Tensor = (vectors * damped.pow(-power)) @ vectors.mT
    return root
