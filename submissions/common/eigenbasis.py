"""Eigenbases of symmetric positive semidefinite matrices, tracked as the matrices change."""

from __future__ import annotations

import torch

from submissions.common.optimizers import State
from submissions.common.precision import at_least_float32

Failures = dict[str, int]
"""How many decompositions were done in another way because `torch.linalg.eigh` did not converge: in
`float64`, by orthogonal iteration (`qr`), or not at all: the old one is used (`old_basis`).
"""
QR_ITERATIONS = 10


def failures_of(state: State) -> Failures:
    """The counts kept in a group or a layer's state, and so in its state dictionary."""
    counts: Failures = state.setdefault("failures", {"float64": 0, "qr": 0, "old_basis": 0})
    return counts


def decompose(
    matrix: torch.Tensor, failures: Failures, basis: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Ascending eigenvalues, (n,), and eigenvectors as columns, (n, n), of a symmetric matrix.

    LAPACK's and cuSOLVER's iterations fail to converge on a few matrices in float32. Those are
    tried again in float64, then by orthogonal iteration, which cannot fail but is less exact.

    Args:
        matrix: symmetric positive semidefinite up to rounding, (n, n).
        failures: counts to add to.
        basis: where orthogonal iteration starts, (n, n); the identity by default.

    Returns:
        Both in at least float32; NaN if the matrix is not finite, so that divergence shows up in
        the step instead of as an error of the decomposition. None if nothing worked.
    """
    matrix = at_least_float32(matrix)
    if not bool(torch.isfinite(matrix).all()):
        nan = torch.full_like(matrix, torch.nan)
        return nan[0], nan
    for dtype in dict.fromkeys((matrix.dtype, torch.float64)):
        try:
            values, vectors = torch.linalg.eigh(matrix.to(dtype))
        except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
            continue
        failures["float64"] += dtype != matrix.dtype
        return values.to(matrix.dtype), vectors.to(matrix.dtype)
    return _decompose_by_iteration(matrix, failures, basis)


def _decompose_by_iteration(
    matrix: torch.Tensor, failures: Failures, basis: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor] | None:
    start = torch.eye(len(matrix)) if basis is None else basis
    estimate = start.to(matrix)
    try:
        for _ in range(QR_ITERATIONS):
            estimate, _ = iterate_basis(matrix, estimate)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        estimate = torch.full_like(matrix, torch.nan)
    if not bool(torch.isfinite(estimate).all()):
        failures["old_basis"] += 1
        return None
    failures["qr"] += 1
    values = (estimate * (matrix @ estimate)).sum(0)
    order = torch.argsort(values)
    return values[order], estimate[:, order]


def eigenbasis(
    matrix: torch.Tensor, failures: Failures, basis: torch.Tensor | None = None
) -> torch.Tensor:
    """Orthonormal eigenvectors as columns, in order of descending eigenvalue.

    Args:
        matrix: symmetric positive semidefinite, (n, n).
        failures: counts to add to, as for `decompose`.
        basis: the old basis, returned if no decomposition converges; the identity by default.

    Returns:
        The basis, (n, n); NaN if the matrix is not finite, so that divergence shows up.
    """
    pair = decompose(matrix, failures, basis)
    if pair is not None:
        return pair[1].flip(-1)
    return torch.eye(len(matrix)).to(at_least_float32(matrix)) if basis is None else basis


def iterate_basis(matrix: torch.Tensor, basis: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
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
    new_basis: torch.Tensor = torch.linalg.qr(image[:, order])[0]
    return new_basis, order


def iterate_basis_until(
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
        rotated_matrix = basis.mT @ image
        whole = torch.linalg.matrix_norm(rotated_matrix)
        beside = torch.linalg.matrix_norm(rotated_matrix - torch.diag(rotated_matrix.diagonal()))
        if bool(beside <= tolerance * whole) or not bool(torch.isfinite(whole)):
            break
        basis = torch.linalg.qr(image)[0]
    return basis
