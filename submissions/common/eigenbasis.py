"""Eigenbases of symmetric positive semidefinite matrices, followed as the matrices change."""

from __future__ import annotations

import torch

from submissions.common.precision import at_least_float32


def decomposed(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Rising eigenvalues, (n,), and eigenvectors as columns, (n, n), of a symmetric matrix.

    Both are in float32 at least, and NaN where the matrix is not finite, so that divergence shows
    in the step and is no error of the decomposition.
    """
    matrix = at_least_float32(matrix)
    if not bool(torch.isfinite(matrix).all()):
        nan = torch.full_like(matrix, torch.nan)
        return nan[0], nan
    values, vectors = torch.linalg.eigh(matrix)
    return values, vectors


def eigenbasis(matrix: torch.Tensor) -> torch.Tensor:
    """Orthonormal eigenvectors as columns, by falling eigenvalue.

    Args:
        matrix: symmetric positive semidefinite, (n, n).

    Returns:
        The basis, (n, n); NaN where the matrix is not finite, so that divergence shows.
    """
    return decomposed(matrix)[1].flip(-1)


def followed(matrix: torch.Tensor, basis: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of orthogonal iteration: Q' from the QR decomposition of A Q.

    The columns of Q are first sorted by falling q^T A q, an estimate of the eigenvalues, as the
    decomposition favours the first.

    Args:
        matrix: A, (n, n).
        basis: Q, (n, n).

    Returns:
        Q' and the order of Q's columns that its columns continue, (n,).
    """
    image = matrix @ basis
    order = torch.argsort((basis * image).sum(0), descending=True, stable=True)
    turned: torch.Tensor = torch.linalg.qr(image[:, order])[0]
    return turned, order


def followed_until(
    matrix: torch.Tensor, basis: torch.Tensor, tolerance: float, iterations: int
) -> torch.Tensor:
    """Orthogonal iteration until the basis diagonalises the matrix well enough.

    Args:
        matrix: A, (n, n).
        basis: Q, (n, n); it comes back as it is if it does so already.
        tolerance: tau; enough is ||Q^T A Q - diag(Q^T A Q)||_F <= tau ||A||_F.
        iterations: at most so many.
    """
    for _ in range(iterations):
        image = matrix @ basis
        rotated = basis.mT @ image
        whole = torch.linalg.matrix_norm(rotated)
        beside = torch.linalg.matrix_norm(rotated - torch.diag(rotated.diagonal()))
        if bool(beside <= tolerance * whole) or not bool(torch.isfinite(whole)):
            break
        basis = torch.linalg.qr(image)[0]
    return basis
