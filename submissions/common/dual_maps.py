"""Dual maps: steepest ascent directions under the norm that fits a parameter's role.

For a norm ||.|| the dual of G is the T of unit norm that maximises <G, T>; the maximum is the dual
norm of G.

    matrix (out, in)    RMS -> RMS: sqrt(in / out) ||W||_2      sqrt(out / in) U V^T,  G = U S V^T
    kernel, reshaped    the same, as (out, in * height * width)
    kernel, by offset   height * width * the largest of ||W[:, :, i, j]||, each as a matrix
                                                                each dual / (height * width)
    embedding           the largest RMS of a row                each row over its RMS
    gain of a norm      the largest |entry|                     sign
    bias, vector        RMS                                     G over its RMS

A gain is a diagonal matrix, whose RMS -> RMS norm is its largest entry in magnitude; a row of an
embedding is the output for a one-hot input.

Those are `norms.NORMS`, the default by role; a caller may choose others by name:

    rms_to_rms    as above for matrices        largest    the largest |entry|
    spectral      ||W||_2                      rms        the RMS of all entries
    rows          the largest RMS of a row

Sources: Bernstein and Newhouse (2024), "Modular duality in deep learning"; Large et al. (2024).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from harness.core.errors import UnknownNameError
from submissions.common.batching import apply_by_shape, matrices, tensor_of
from submissions.common.bounded_stacks import bound_each
from submissions.common.matrix_sign import newton_schulz, product_dtype
from submissions.common.norms import KERNELS, NORMS, POLISH, SPECTRAL
from submissions.common.precision import bound_gradient, signs
from submissions.common.symmetric_products import add_product, product
from workloads.parameters import Role


def polar(stack: Tensor, steps: int = 4, polish: int = 0, matmul_dtype: str = "auto") -> Tensor:
    """The polar factor U V^T of every matrix U S V^T of a stack.

    Args:
        stack: the matrices, (batch, rows, columns).
        steps: iterations of `newton_schulz`, which bring singular values of at least a hundredth of
            the largest into [0.65, 1.2].
        polish: further iterations, in the stack's own precision, that bring them to 1: one leaves
            an error of 0.05, two of 3e-4.
        matmul_dtype: dtype name for the first iterations, or `auto`.
    """
    dtype = product_dtype(stack.device, matmul_dtype)
    x = newton_schulz(bound_each(stack), steps, dtype=dtype).to(stack.dtype)
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
    matmul_dtype: str = "auto",
    norms: Mapping[Role, str] = NORMS,
) -> list[Tensor]:
    """Map every value to its dual under its role's norm; matrices of equal shape share a call.

    Args:
        values: gradients or momenta, shaped as their parameters.
        roles: each parameter's role.
        splits: each parameter's splits, as in `ParameterSpec`.
        kernels: one of `KERNELS`.
        polish: as for `polar`.
        matmul_dtype: as for `polar`.
        norms: each role's norm: one of `norms.OF_MATRICES`, of vectors one of `norms.OF_VECTORS`.
    """
    if kernels not in KERNELS:
        raise UnknownNameError("kernels", kernels, KERNELS)
    parts = [
        _matrices(value, split, kernels) if norms[Role(role)] in SPECTRAL else []
        for value, role, split in zip(values, roles, splits, strict=True)
    ]
    sign = partial(polar, polish=polish, matmul_dtype=matmul_dtype)
    factors = iter(apply_by_shape(sign, [matrix for part in parts for matrix in part]))
    output = []
    for value, role, part in zip(values, roles, parts, strict=True):
        norm = norms[Role(role)]
        power = 0.5 if norm == "rms_to_rms" else 0.0
        scaled_factors = [next(factors) * (m.shape[0] / m.shape[1]) ** power for m in part]
        output.append(
            _join(scaled_factors, value, kernels) if part else entrywise_dual(value, norm)
        )
    return output


def entrywise_dual(value: Tensor, norm: str) -> Tensor:
    """The dual under a norm of `norms.OF_MATRICES` that is not spectral."""
    if norm == "largest":
        return signs(value)
    value = bound_gradient(value)
    tiny = torch.finfo(value.dtype).tiny ** 0.5
    if norm == "rows":
        rows = value.flatten(1)
        sizes = rows.square().mean(-1, keepdim=True).sqrt().clamp(min=tiny)
        return (rows / sizes).reshape(value.shape)
    return value / value.square().mean().sqrt().clamp(min=tiny)


def _matrices(value: Tensor, splits: Sequence[int], kernels: str) -> list[Tensor]:
    if value.ndim == 4 and kernels == "by_offset":
        return list(value.flatten(2).unbind(-1))
    return matrices(value, splits)


def _join(parts: list[Tensor], like: Tensor, kernels: str) -> Tensor:
    if like.ndim == 4 and kernels == "by_offset":
        return torch.stack(parts, -1).reshape(like.shape) / len(parts)
    return tensor_of(parts, like.shape)
