"""Steepest ascent under the norm that fits a parameter's role: its dual map.

For a norm ||.|| the dual of G is the T of unit norm with the largest <G, T>; that product is the
dual norm of G.

    matrix (out, in)    RMS -> RMS: sqrt(in / out) ||W||_2      sqrt(out / in) U V^T,  G = U S V^T
    kernel, reshaped    the same of (out, in * height * width)
    kernel, by offset   height * width * the largest of ||W[:, :, i, j]||, each as a matrix
                                                                its own dual / (height * width)
    embedding           the largest RMS of a row                each row over its RMS
    gain of a norm      the largest entry                       sign
    bias, vector        RMS                                     G over its RMS

A gain is a diagonal matrix, whose RMS -> RMS norm is its largest entry; a row of an embedding is
what a one-hot input gives.

Sources: Bernstein and Newhouse (2024), "Modular duality in deep learning"; Large et al. (2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from harness.core.errors import UnknownNameError
from submissions.common.batching import batched, matrices, tensor_of
from submissions.common.matrix_sign import newton_schulz, product_dtype
from submissions.common.symmetric_products import add_product, product
from workloads.parameters import Role

KERNELS = ("by_offset", "reshaped")
POLISH = (1.875, -1.25, 0.375)
"""Newton-Schulz of order five, which converges to 1 from anywhere in (0, 1.5)."""
MATRICES = (Role.HIDDEN_MATRIX, Role.OUTPUT, Role.CONVOLUTION)


def polar(stack: Tensor, steps: int = 4, polish: int = 0, products: str = "auto") -> Tensor:
    """U V^T for every U S V^T of a stack (batch, rows, columns).

    Args:
        stack: the matrices.
        steps: iterations of `newton_schulz`, after which singular values from a hundredth of the
            largest on lie in [0.65, 1.2].
        polish: iterations after those that bring them to 1, in the stack's own precision: one
            leaves an error of 0.05, two of 3e-4.
        products: the precision of the first iterations: a dtype's name, or `auto`.
    """
    dtype = product_dtype(stack.device, products)
    x = newton_schulz(stack, steps, dtype=dtype).to(stack.dtype)
    a, b, c = POLISH
    is_tall = x.shape[-2] > x.shape[-1]
    x = x.mT if is_tall else x
    for _ in range(polish):
        gram = product(x, x.mT)
        x = torch.baddbmm(x, add_product(gram.clone(), gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x


def duals(
    values: Sequence[Tensor],
    roles: Sequence[str],
    splits: Sequence[Sequence[int]],
    *,
    kernels: str = "reshaped",
    polish: int = 0,
    products: str = "auto",
) -> list[Tensor]:
    """The dual of every value in its role; matrices of one shape share a call.

    Args:
        values: gradients, or momenta, shaped as their parameters.
        roles: of each.
        splits: of each, as in `ParameterSpec`.
        kernels: one of `KERNELS`.
        polish: as for `polar`.
        products: as for `polar`.
    """
    if kernels not in KERNELS:
        raise UnknownNameError("kernels", kernels, KERNELS)
    parts = [
        _matrices(value, split, kernels) if Role(role) in MATRICES else []
        for value, role, split in zip(values, roles, splits, strict=True)
    ]
    sign = partial(polar, polish=polish, products=products)
    signs = iter(batched(sign, [matrix for part in parts for matrix in part]))
    found = []
    for value, role, part in zip(values, roles, parts, strict=True):
        scaled = [next(signs) * (m.shape[0] / m.shape[1]) ** 0.5 for m in part]
        found.append(_joined(scaled, value, kernels) if part else vector_dual(value, Role(role)))
    return found


def vector_dual(value: Tensor, role: Role) -> Tensor:
    """The dual of what is no matrix: an embedding, a gain, a bias or another vector."""
    if role == Role.NORM:
        return value.sign()
    tiny = torch.finfo(value.dtype).tiny ** 0.5
    if role == Role.EMBEDDING:
        return value / value.square().mean(-1, keepdim=True).sqrt().clamp(min=tiny)
    return value / value.square().mean().sqrt().clamp(min=tiny)


def _matrices(value: Tensor, splits: Sequence[int], kernels: str) -> list[Tensor]:
    if value.ndim == 4 and kernels == "by_offset":
        return list(value.flatten(2).unbind(-1))
    return matrices(value, splits)


def _joined(parts: list[Tensor], like: Tensor, kernels: str) -> Tensor:
    if like.ndim == 4 and kernels == "by_offset":
        return torch.stack(parts, -1).reshape(like.shape) / len(parts)
    return tensor_of(parts, like.shape)
