"""Lanczos iteration for the largest eigenvalue of a symmetric matrix given by its products.

    beta_k q_{k+1} = A q_k - alpha_k q_k - beta_{k-1} q_{k-1},   alpha_k = q_k^T A q_k

The largest eigenvalue of the tridiagonal matrix of alpha and beta is the estimate theta; with s the
last entry of its eigenvector, an eigenvalue of A lies within beta_k |s| of it, which ends the
iteration. Every q is orthogonalised twice against all earlier ones, because rounding destroys the
orthogonality of the recurrence (Parlett, 1998, section 6.9).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
ITERATIONS = 60
TOLERANCE = 1e-3
"""The iteration ends once beta |s| falls below this fraction of theta."""


def largest_eigenvalue(product: Callable[[Vector], Vector], size: int) -> float:
    """The largest eigenvalue; NaN if a product is not finite.

    Args:
        product: the map v -> A v; both have shape (size,).
        size: number of rows of the matrix, at least 1.
    """
    start = np.random.default_rng(0).standard_normal(size)
    basis = [start / np.linalg.norm(start)]
    alphas, betas = list[float](), list[float]()
    for _ in range(min(ITERATIONS, size)):
        image = product(basis[-1])
        if not np.isfinite(image).all():
            return math.nan
        alphas.append(float(basis[-1] @ image))
        for _ in range(2):
            for vector in basis:
                image = image - (vector @ image) * vector
        values, vectors = np.linalg.eigh(np.diag(alphas) + np.diag(betas, 1) + np.diag(betas, -1))
        beta = float(np.linalg.norm(image))
        if beta * abs(vectors[-1, -1]) <= TOLERANCE * abs(values[-1]):
            break
        betas.append(beta)
        basis.append(image / beta)
    return float(values[-1])
