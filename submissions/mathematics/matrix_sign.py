"""The orthogonal polar factor of a matrix, U V^T for U S V^T, by Newton-Schulz iteration.

    X_0 = M / ||M||_F,   X_{k+1} = a X_k + (b X_k X_k^T + c (X_k X_k^T)^2) X_k

With Keller Jordan's tuned coefficients five iterations bring singular values between about 0.003
and 1 times the Frobenius norm into [0.68, 1.14]; they do not converge to 1, which does not matter
for the direction of a step.
"""

from __future__ import annotations

import torch

JORDAN = (3.4445, -4.7750, 2.0315)
"""The coefficients (a, b, c) of Jordan et al. (2024)."""


def newton_schulz(
    stack: torch.Tensor,
    steps: int = 5,
    coefficients: tuple[float, float, float] = JORDAN,
    dtype: torch.dtype = torch.float32,
) -> torch.Tensor:
    """Approximately orthogonalise every matrix of a stack.

    Args:
        stack: the matrices, (batch, rows, columns).
        steps: how many iterations.
        coefficients: a, b and c.
        dtype: the precision of the products; the norm is taken in the input's own.

    Returns:
        The factors in `stack`'s shape and `dtype`. A zero matrix stays zero.
    """
    a, b, c = coefficients
    norm = torch.linalg.matrix_norm(stack, keepdim=True)
    x = (stack / norm.clamp(min=torch.finfo(stack.dtype).tiny)).to(dtype)
    is_tall = stack.shape[-2] > stack.shape[-1]
    if is_tall:
        x = x.mT.contiguous()
    for _ in range(steps):
        gram = torch.bmm(x, x.mT)
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    if is_tall:
        x = x.mT
    return x


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
