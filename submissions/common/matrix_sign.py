"""Orthogonal polar factor U V^T of a matrix U S V^T, by Newton-Schulz iteration.

    X_0 = M / n(M),   X_{k+1} = a_k X_k + (b_k A_k + c_k A_k^2) X_k,   A_k = X_k X_k^T

with a norm n(M) that bounds the largest singular value. Tall matrices are transposed first. With
Keller Jordan's coefficients, the same in every iteration, five iterations map singular values of
X_0 in [0.002, 1] into [0.68, 1.21]. With those of Polar Express, each optimal for the interval left
by the previous iteration, four map [0.0028, 1.018] into [0.71, 1.17]. Neither converges to 1, which
does not matter for the direction of a step.

Every X_k is a polynomial in A_0 times X_0. For a wide X_0 the iteration runs on that polynomial, in
square matrices of the short dimension:

    Q_0 = I,   P_k = a_k I + b_k A_k + c_k A_k^2,   Q_{k+1} = P_k Q_k,   A_{k+1} = P_k A_k P_k

All of these commute, so each product is symmetric. A holds the squared singular values, and the
rounding errors of small ones grow by P^2 in each iteration. In half precision the first two
iterations, which raise the small ones, therefore run on X itself, and later ones in pairs on the
short dimension, with A recomputed from X before each pair.
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
"""Bounds n(M): ||M||_F, or the square root of `largest`, which costs next to nothing."""
FEW, MANY = 128, 512
WIDE = 1.5
"""Aspect ratio from which iterating on the short dimension is less work."""
ALONE, HALF_BLOCK = 2, 2
"""In half precision: number of first iterations run on X, and of later ones run at once."""


def newton_schulz(
    stack: Tensor,
    steps: int = 4,
    *,
    norm: str = "tight",
    coefficients: str = "polar_express",
    dtype: torch.dtype = torch.float32,
    floor: float = 0.0,
) -> Tensor:
    """Approximately orthogonalise every matrix of a stack.

    Args:
        stack: the matrices, (batch, rows, columns).
        steps: number of iterations.
        norm: bound on the largest singular value, one of `NORMS`.
        coefficients: a name in `newton_schulz.COEFFICIENTS`.
        dtype: precision of the products; the Frobenius norm is computed in the input's dtype.
        floor: size below which a matrix counts as small and is not scaled up all the way: added to
            the Frobenius norm, as in Jordan's code, and a lower bound on the tight one.

    Returns:
        The polar factors, in the shape of `stack` and in `dtype`. A zero matrix stays zero.
    """
    if norm not in NORMS:
        raise UnknownNameError("norm", norm, NORMS)
    is_tall = stack.shape[-2] > stack.shape[-1]
    size = torch.linalg.matrix_norm(stack, keepdim=True)
    scaled_stack = _over(stack, size + floor if norm == "frobenius" else size)
    scaled_stack = scaled_stack.mT.contiguous() if is_tall else scaled_stack
    x = scaled_stack.to(dtype)
    gram = product(x, x.mT)
    if norm == "tight":
        # of the matrix over its Frobenius norm, so the floor is divided by it, too
        least = (floor / size.clamp(min=torch.finfo(size.dtype).tiny)).square()
        square = largest(gram).clamp(min=least.to(gram.dtype))
        gram = _over(gram, square)
        # Not from x: rounding the large singular values twice would lose the small ones.
        x = _over(scaled_stack, square.sqrt().to(scaled_stack.dtype)).to(dtype)
    step_coefficients = iterations(coefficients, steps)
    for start, stop in _blocks(steps, _at_once(x, steps)):
        gram = gram if start == 0 else product(x, x.mT)
        x = _multiply(x, gram, step_coefficients[start:stop])
    return x.mT if is_tall else x


def largest(gram: Tensor) -> Tensor:
    """Upper bound on the largest eigenvalue of A = M M^T, (batch, 1, 1).

    For up to FEW rows it is ||A||_F: half precision loses most there, and most near the bound. For
    more rows it is Samuelson's inequality for r numbers, m + (r - 1)^(1/2) d, with the mean m and
    the standard deviation d of the eigenvalues computed from trace and norm. Above MANY rows
    ||A^2||_F^(1/2) is tighter still.
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
    """Number of iterations on the short dimension between multiplications of X."""
    if x.shape[-1] < WIDE * x.shape[-2]:
        return 1
    if x.dtype.itemsize >= 4:
        return steps
    return HALF_BLOCK if x.shape[-2] > FEW else 1


def _blocks(steps: int, at_once: int) -> list[tuple[int, int]]:
    """Ranges of iterations, as (start, stop), after each of which X is multiplied once."""
    first = min(ALONE, steps) if at_once < steps else 0
    edges = [*range(first), *range(first, steps, max(at_once, 1)), steps]
    return list(pairwise(edges))


def _multiply(x: Tensor, gram: Tensor, coefficients: Sequence[Coefficients]) -> Tensor:
    """X after a few iterations on the short dimension, starting from A."""
    a, b, c = coefficients[0]
    polynomial = _polynomial(gram, b, c)
    if len(coefficients) == 1:
        # Adding the identity to the polynomial would round away the polynomial's last bits.
        return torch.baddbmm(x, polynomial, x, beta=a)
    total = polynomial = _plus(polynomial, a)
    for a, b, c in coefficients[1:]:
        gram = product(product(polynomial, gram), polynomial)
        polynomial = _plus(_polynomial(gram, b, c), a)
        total = product(polynomial, total)
    return torch.bmm(total, x)


def _polynomial(gram: Tensor, b: float, c: float) -> Tensor:
    """b A + c A^2, rounded once because the two terms nearly cancel."""
    return add_product(gram.clone(), gram, gram, beta=b, alpha=c)


def _plus(stack: Tensor, scale: float) -> Tensor:
    """Add `scale` times the identity in place."""
    stack.diagonal(dim1=-2, dim2=-1).add_(scale)
    return stack


def _over(stack: Tensor, norm: Tensor) -> Tensor:
    return stack / norm.clamp(min=torch.finfo(stack.dtype).tiny)


def product_dtype(device: torch.device, choice: str = "auto") -> torch.dtype:
    """The dtype for products that tolerate rounding.

    Args:
        device: the device that computes the products.
        choice: a dtype name, or `auto`: bfloat16 where the hardware supports it natively (two to
            four times as fast), else float32 (emulated bfloat16 is a hundred times slower).
    """
    if choice != "auto":
        dtype = getattr(torch, choice)
        assert isinstance(dtype, torch.dtype)
        return dtype
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if native else torch.float32
