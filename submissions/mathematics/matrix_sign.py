"""The orthogonal polar factor of a matrix, U V^T for U S V^T, by Newton-Schulz iteration.

    X_0 = M / n(M),   X_{k+1} = a X_k + (b X_k X_k^T + c (X_k X_k^T)^2) X_k

with a norm n(M) that bounds the largest singular value. With Keller Jordan's tuned coefficients
five iterations bring singular values of X_0 between 0.002 and 1 into [0.65, 1.2]; they do not
converge to 1, which does not matter for the direction of a step.
"""

from __future__ import annotations

import torch

from harness.errors import UnknownNameError

JORDAN = (3.4445, -4.7750, 2.0315)
"""The coefficients (a, b, c) of Jordan et al. (2024)."""
NORMS = ("frobenius", "schatten4")
"""Bounds n(M): ||M||_F, and the tighter ||M M^T||_F^(1/2), which comes at no cost."""


def newton_schulz(
    stack: torch.Tensor,
    steps: int = 5,
    *,
    norm: str = "schatten4",
    coefficients: tuple[float, float, float] = JORDAN,
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """Approximately orthogonalise every matrix of a stack.

    Args:
        stack: the matrices, (batch, rows, columns).
        steps: how many iterations.
        norm: one of `NORMS`.
        coefficients: a, b and c.
        dtype: the precision of the products; the Frobenius norm is taken in the input's own.

    Returns:
        The factors in `stack`'s shape and `dtype`. A zero matrix stays zero.
    """
    if norm not in NORMS:
        raise UnknownNameError("norm", norm, NORMS)
    a, b, c = coefficients
    is_tall = stack.shape[-2] > stack.shape[-1]
    x = _over(stack, torch.linalg.matrix_norm(stack, keepdim=True)).to(dtype)
    x = x.mT.contiguous() if is_tall else x
    for step in range(steps):
        gram = torch.bmm(x, x.mT)
        if step == 0 and norm == "schatten4":
            square = torch.linalg.matrix_norm(gram, keepdim=True)
            x, gram = _over(x, square.sqrt()), _over(gram, square)
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    signs: torch.Tensor = x.mT if is_tall else x
    return signs


def _over(stack: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
    return stack / norm.clamp(min=torch.finfo(stack.dtype).tiny)


def product_dtype(device: torch.device, choice: str = "auto") -> torch.dtype:
    """The precision for products whose rounding does no harm.

    Args:
        device: where the products are computed.
        choice: a dtype's name, or `auto`: bfloat16 where the hardware multiplies in it (four times
            as fast), else float32 (emulated bfloat16 is a hundred times slower).
    """
    if choice != "auto":
        chosen = getattr(torch, choice)
        assert isinstance(chosen, torch.dtype)
        return chosen
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32
