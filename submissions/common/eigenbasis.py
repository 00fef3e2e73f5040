"""Eigenbases of symmetric positive semidefinite matrices, tracked as the matrices change."""

from __future__ import annotations

import torch

from submissions.common.precision import at_least_float32


def decomposed(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Ascending eigenvalues, (n,), and eigenvectors as columns, (n, n), of a symmetric matrix.

    Both are at least float32. If the matrix is not finite they are NaN, so that divergence shows up
    in the step instead of as an error of the decomposition.
    """
    matrix = at_least_float32(matrix)
    if not bool(torch.isfinite(matrix).all()):
        nan = torch.full_like(matrix, torch.nan)
        return nan[0], nan
    values, vectors = torch.linalg.eigh(matrix)
    return values, vectors


def eigenbasis(matrix: torch.Tensor) -> torch.Tensor:
    """Orthonormal eigenvectors as columns, in order of descending eigenvalue.

    Args:
        matrix: symmetric positive semidefinite, (n, n).

    Returns:
        The basis, (n, n); NaN if the matrix is not finite, so that divergence shows up.
    """
    return decomposed(matrix)[1].flip(-1)


def followed(matrix: torch.Tensor, basis: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Run one step of orthogonal iteration: Q' from the QR decomposition of A Q.

    The columns of Q are first sorted by descending q^T A q, an estimate of the eigenvalues, because
    the decomposition favours the first columns.

    Args:
        matrix: A, (n, n).
        basis: Q, (n, n).

    Returns:
        Q', and the permutation of Q's columns to which its columns correspond, (n,).
    """
    image = matrix @ basis
    order = torch.argsort((basis * image).sum(0), descending=True, stable=True)
    turned: torch.Tensor = torch.linalg.qr(image[:, order])[0]
    return turned, order


def followed_until(
    matrix: torch.Tensor, basis: torch.Tensor, tolerance: float, iterations: int
) -> torch.Tensor:
    """Run orthogonal iteration until the basis diagonalises the matrix accurately enough.

    Args:
        matrix: A, (n, n).
        basis: Q, (n, n); returned unchanged if it is already accurate enough.
        tolerance: tau in the criterion ||Q^T A Q - diag(Q^T A Q)||_F <= tau ||A||_F.
        iterations: maximum number of iterations.
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
