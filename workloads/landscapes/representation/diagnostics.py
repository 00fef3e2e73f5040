"""How near a student's features are to the teacher's, in closed form over the whole population.

subspace_distance   || P*_perp of G's row space ||: the sine of the largest principal angle
                    between the row spaces of G and G*
transfer_loss       of the best head on G for a new task y = F' G* x, averaged over heads F'
                    with entries of equal variance, relative to that of predicting 0:
                    tr(C - B A^+ B^T) / tr(C),  A = G Sigma G^T, B = G* Sigma G^T,
                    C = G* Sigma G*^T
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from workloads.landscapes.representation.model import Matrix, Truth, truth_of, validate
from workloads.parameters import Array
from workloads.spec import Sizes


def diagnostics(parameters: Mapping[str, Array], sizes: Sizes) -> dict[str, float]:
    """`subspace_distance` and `transfer_loss`, both from 0 to 1."""
    features = parameters["hidden.weight"].astype(np.float64)
    truth = truth_of(validate(sizes))
    return {
        "subspace_distance": _distance(features, truth.features),
        "transfer_loss": _transfer_loss(features, truth),
    }


def _distance(features: Matrix, target: Matrix) -> float:
    basis, _ = np.linalg.qr(features.T)
    residual = target.T - basis @ (basis.T @ target.T)
    return float(np.linalg.norm(residual, ord=2))


def _transfer_loss(features: Matrix, truth: Truth) -> float:
    spread = truth.covariance
    own = features @ spread @ features.T
    cross = truth.features @ spread @ features.T
    total = truth.features @ spread @ truth.features.T
    explained_covariance = cross @ np.linalg.pinv(own, hermitian=True) @ cross.T
    return float(np.trace(total - explained_covariance) / np.trace(total))
