"""The orthogonal polar factor of a matrix, U V^T for U S V^T, by Newton-Schulz iteration.

    X_0 = M / n(M),   X_{k+1} = a_k X_k + (b_k A_k + c_k A_k^2) X_k,   A_k = X_k X_k^T

with a norm n(M) that bounds the largest singular value, for matrices no taller than wide (others
are transposed). With Keller Jordan's coefficients, the same in every iteration, five iterations
bring singular values of X_0 between 0.002 and 1 into [0.68, 1.21]; with Polar Express's, each the
best for the interval that the one before leaves, four bring 0.0028 to 1.018 into [0.71, 1.17].
Neither converges to 1, which does not matter for the direction of a step.

Every X_k is a polynomial in A_0 times X_0. For a wide X_0 the polynomial is iterated instead, on
matrices of the short side:

    Q_0 = I,   P_k = a_k I + b_k A_k + c_k A_k^2,   Q_{k+1} = P_k Q_k,   A_{k+1} = P_k A_k P_k

All of these commute, so that each product is symmetric. A has the squares of the singular values,
and what rounding does to small ones grows by P^2 in each iteration. In half precision the first two
iterations, which bring up the small ones, are therefore made on X itself, and those that follow two
by two on the short side, with A taken from X anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from harness.core.errors import UnknownNameError
from submissions.common.newton_schulz import Coefficients, iterations
from submissions.common.symmetric_products import add_product, product

NORMS = ("frobenius", "tight")
"""Bounds n(M): ||M||_F, or the root of `largest`, which costs next to nothing."""
FEW, MANY = 128, 512
WIDE = 1.5
"""From this ratio of sides on, iterations on the short side alone are less work."""
ALONE, HALF_BLOCK = 2, 2
"""In half precision so many first iterations are made on X, and the others so many at once."""


def newton_schulz(
    stack: Tensor,
    steps: int = 4,
    *,
    norm: str = "tight",
    coefficients: str = "polar_express",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Approximately orthogonalise every matrix of a stack.

    Args:
        stack: the matrices, (batch, rows, columns).
        steps: how many iterations.
        norm: one of `NORMS`.
        coefficients: a name in `newton_schulz.COEFFICIENTS`.
        dtype: the precision of the products; the Frobenius norm is taken in the input's own.

    Returns:
        The factors in `stack`'s shape and `dtype`. A zero matrix stays zero.
    """
    if norm not in NORMS:
        raise UnknownNameError("norm", norm, NORMS)
    is_tall = stack.shape[-2] > stack.shape[-1]
    scaled = _over(stack, torch.linalg.matrix_norm(stack, keepdim=True))
    scaled = scaled.mT.contiguous() if is_tall else scaled
    x = scaled.to(dtype)
    gram = product(x, x.mT)
    if norm == "tight":
        square = largest(gram)
        gram = _over(gram, square)
        # Not from x, for small singular values are lost when large ones are rounded twice.
        x = _over(scaled, square.sqrt().to(scaled.dtype)).to(dtype)
    used = iterations(coefficients, steps)
    for start, stop in _blocks(steps, _at_once(x, steps)):
        gram = gram if start == 0 else product(x, x.mT)
        x = _multiplied(x, gram, used[start:stop])
    return x.mT if is_tall else x


def largest(gram: Tensor) -> Tensor:
    """A bound on the largest eigenvalue of A = M M^T, (batch, 1, 1).

    On up to FEW rows it is ||A||_F: half precision loses most on them, and most near the bound. On
    more it is Samuelson's for r numbers, m + (r - 1)^(1/2) d, from the mean m and the deviation
    d of the eigenvalues, which trace and norm give; beyond MANY ||A^2||_F^(1/2) is tighter still.
    """
    rows = gram.shape[-1]
    norm: Tensor = torch.linalg.matrix_norm(
        product(gram, gram) if rows > MANY else gram, keepdim=True
    )
    if rows <= FEW or rows > MANY:
        return norm if rows <= FEW else norm.sqrt()
    wide = torch.promote_types(gram.dtype, torch.float32)
    mean = gram.diagonal(dim1=-2, dim2=-1).to(wide).mean(-1)[:, None, None]
    variance = (norm.to(wide).square() / rows - mean.square()).clamp_(min=0.0)
    return (mean + (variance * (rows - 1)).sqrt()).to(gram.dtype)


def _at_once(x: Tensor, steps: int) -> int:
    """How many iterations are made on the short side before X is multiplied."""
    if x.shape[-1] < WIDE * x.shape[-2]:
        return 1
    if x.dtype.itemsize >= 4:
        return steps
    return HALF_BLOCK if x.shape[-2] > FEW else 1


def _blocks(steps: int, at_once: int) -> list[tuple[int, int]]:
    """Iterations from and to which X is multiplied in one go."""
    first = min(ALONE, steps) if at_once < steps else 0
    edges = [*range(first), *range(first, steps, max(at_once, 1)), steps]
    return list(pairwise(edges))


def _multiplied(x: Tensor, gram: Tensor, coefficients: Sequence[Coefficients]) -> Tensor:
    """X after a few iterations on the short side, from A."""
    a, b, c = coefficients[0]
    polynomial = _polynomial(gram, b, c)
    if len(coefficients) == 1:
        # The identity stays outside: beside it rounding would cost the polynomial's last bits.
        return torch.baddbmm(x, polynomial, x, beta=a)
    total = polynomial = _plus(polynomial, a)
    for a, b, c in coefficients[1:]:
        gram = product(product(polynomial, gram), polynomial)
        polynomial = _plus(_polynomial(gram, b, c), a)
        total = product(polynomial, total)
    return torch.bmm(total, x)


def _polynomial(gram: Tensor, b: float, c: float) -> Tensor:
    """b A + c A^2, rounded once: the two nearly cancel out."""
    return add_product(gram.clone(), gram, gram, beta=b, alpha=c)


def _plus(stack: Tensor, scale: float) -> Tensor:
    """Scale times the identity added, in place."""
    stack.diagonal(dim1=-2, dim2=-1).add_(scale)
    return stack


def _over(stack: Tensor, norm: Tensor) -> Tensor:
    return stack / norm.clamp(min=torch.finfo(stack.dtype).tiny)


def product_dtype(device: torch.device, choice: str = "auto") -> torch.dtype:
    """The precision for products whose rounding does no harm.

    Args:
        device: where the products are computed.
        choice: a dtype's name, or `auto`: bfloat16 where the hardware multiplies in it (two to four
            times as fast), else float32 (emulated bfloat16 is a hundred times slower).
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
