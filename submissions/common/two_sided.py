"""Row and column second moments of a matrix gradient, and projections onto their eigenbases.

A parameter's state holds, for each side with a factor, `left` (rows, rows) or `right`
(columns, columns), in float32 or better, and once computed `left_basis` or `right_basis` of the
same shape; a missing basis means the identity.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch

from submissions.common.symmetric_products import add_product

SIDES = ("left", "right")


def start_factors(
    state: dict[str, torch.Tensor],
    matrix: torch.Tensor,
    max_dim: int,
    sides: Collection[str] = SIDES,
) -> None:
    """Initialise factors to zero for those dimensions of a matrix that are at most `max_dim`."""
    for side, size in zip(SIDES, matrix.shape, strict=True):
        if side in sides and size <= max_dim:
            dtype = torch.promote_types(matrix.dtype, torch.float32)
            state[side] = matrix.new_zeros(size, size, dtype=dtype)


def accumulate(state: Mapping[str, torch.Tensor], gradient: torch.Tensor, beta: float) -> None:
    """L <- beta L + (1 - beta) G G^T, R <- beta R + (1 - beta) G^T G; beta = 1 sums."""
    weight = 1.0 if beta == 1.0 else 1.0 - beta
    exact = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
    if "left" in state:
        add_product(state["left"], exact, exact.mT, beta=beta, alpha=weight)
    if "right" in state:
        add_product(state["right"], exact.mT, exact, beta=beta, alpha=weight)


def project(
    state: Mapping[str, torch.Tensor], matrix: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """U_L^T X U_R, multiplied in `dtype`."""
    x = matrix.to(dtype)
    x = state["left_basis"].to(dtype).mT @ x if "left_basis" in state else x
    x = x @ state["right_basis"].to(dtype) if "right_basis" in state else x
    return x.to(matrix.dtype)


def project_back(
    state: Mapping[str, torch.Tensor], matrix: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """U_L X U_R^T, multiplied in `dtype`."""
    x = matrix.to(dtype)
    x = state["left_basis"].to(dtype) @ x if "left_basis" in state else x
    x = x @ state["right_basis"].to(dtype).mT if "right_basis" in state else x
    return x.to(matrix.dtype)
