"""The Kronecker factors of several parameters of one shape: their use, and how they are fitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from submissions.common.bounded_stacks import bound_each
from submissions.common.matrix_sign import product_dtype
from submissions.common.optimizers import Group, State

from .stacks import put_back, stack_values

SIDES, PARTS = ("left", "right"), ("", "_p", "_bound")
"""The keys of the factors in a parameter's state: `left`, `left_p` and so on, see `Side`."""
BOUND_BETA = 0.9
FIRST_RATE = 0.5
BALANCE_EVERY = 100
LARGEST_ROTATION = 1 / 8


class Side(NamedTuple):
    """One side's part in the factors of several parameters."""

    factor: torch.Tensor
    """Q, (count, side, side), or of diagonals (count, side)."""
    p: torch.Tensor
    """Q^T Q after the previous fit."""
    bounds: torch.Tensor
    """Running bounds on the gradients' Lipschitz constants, (count,)."""


class Sample(NamedTuple):
    """What one side of several parameters' factors is fitted to."""

    x: torch.Tensor
    """The whitened momenta with this dimension first, (count, side, other)."""
    other: int
    """The other dimension's length."""
    noise: torch.Tensor
    """The other dimension's damping, (count,)."""


def precondition(
    metric: Sequence[torch.Tensor], matrices: torch.Tensor, group: Group
) -> torch.Tensor:
    """P_L X P_R of every matrix; `metric` is P_L and P_R."""
    dtype = product_dtype(matrices.device, group["matmul_dtype"])
    left, right = (one.to(dtype) for one in metric)
    x = matrices.to(dtype)
    x = left @ x if left.ndim > 2 else left[:, :, None] * x
    x = x @ right if right.ndim > 2 else x * right[:, None]
    return x.to(matrices.dtype)


def fit(states: Sequence[State], matrices: torch.Tensor, group: Group) -> None:
    """Take one step of both factors of some parameters towards whitening their momenta.

    Args:
        states: of parameters of one shape that have been fitted equally often.
        matrices: their momenta, (count, rows, columns).
        group: their settings.
    """
    for state in states:
        state["fits"] += 1
    fits = states[0]["fits"]
    rate = max(group["preconditioner_rate"], FIRST_RATE / fits)
    sides = [Side(*(stack_values(states, f"{name}{part}") for part in PARTS)) for name in SIDES]
    x = bound_each(precondition([side.p for side in sides], matrices, group))
    size = [side.p.to(x.dtype).square().flatten(1).sum(1) for side in sides]
    for place, side in enumerate(sides):
        of_side, other = (x, x.mT)[place], x.shape[2 - place]
        sample = Sample(of_side, other, group["damping"] ** 2 * size[1 - place])
        if side.factor.ndim > 2:
            _fit_dense(side, sample, rate, group)
        else:
            _fit_diagonal(side, sample, rate)
    if fits % BALANCE_EVERY == 0:
        _balance(*(side.factor for side in sides))
    for name, (factor, was, bounds) in zip(SIDES, sides, strict=True):
        p = _product(factor.mT, factor, group) if factor.ndim > 2 else factor**2
        for part, stack in zip(PARTS, (factor, p.to(was.dtype), bounds), strict=True):
            put_back(states, f"{name}{part}", stack)


def _fit_dense(side: Side, sample: Sample, rate: float, group: Group) -> None:
    (factor, p, bounds), (x, other, noise) = side, sample
    gram = _product(x, x.mT, group)
    gram += noise[:, None, None] * _product(p, p, group)
    bound = _raise_bounds(bounds, _norm(gram) + other)
    gram.diagonal(dim1=-2, dim2=-1).sub_(other)
    factor.sub_(_product(gram, factor, group).mul_((rate / bound)[:, None, None]))
    _make_symmetric(factor, group)


def _fit_diagonal(side: Side, sample: Sample, rate: float) -> None:
    (factor, p, bounds), (x, other, noise) = side, sample
    gram = x.square().sum(2) + noise[:, None] * p.square()
    bound = _raise_bounds(bounds, gram.amax(1) + other)
    factor.mul_(1 - (rate / bound)[:, None] * (gram - other))


def _raise_bounds(bounds: torch.Tensor, now: torch.Tensor) -> torch.Tensor:
    """Update running bounds, never below `now`."""
    return bounds.lerp_(now, 1 - BOUND_BETA).clamp_(min=now)


def _make_symmetric(factor: torch.Tensor, group: Group) -> None:
    """Rotate Q towards the symmetric matrix with the same Q^T Q, by one ascent step on tr R Q.

    The rotation exp(a S), S skew-symmetric, is expanded to second order.
    """
    skew = factor.mT - factor
    size = _norm(skew, is_symmetric=False).clamp_(min=torch.finfo(skew.dtype).tiny ** 0.5)
    skew /= size[:, None, None]
    first = _product(skew, factor, group)
    second = _product(skew, first, group)
    rise, bend = (one.diagonal(dim1=-2, dim2=-1).sum(-1) for one in (first, second))
    best = torch.where(bend < 0, -rise / bend, LARGEST_ROTATION).clamp(max=LARGEST_ROTATION)
    best = best[:, None, None]
    factor.add_(best * (first + 0.5 * best * second))


def _norm(stack: torch.Tensor, *, is_symmetric: bool = True) -> torch.Tensor:
    """Lower bounds on the largest singular values, by power iteration from the longest rows."""
    longest = stack.square().sum(2).argmax(1)
    row = stack.gather(1, longest[:, None, None].expand(-1, 1, stack.shape[2]))
    tiny = torch.finfo(stack.dtype).tiny ** 0.5
    for _ in range(2):
        row = row / torch.linalg.vector_norm(row, dim=2, keepdim=True).clamp(min=tiny)
        row = row @ stack if is_symmetric else (row @ stack.mT) @ stack
    size: torch.Tensor = torch.linalg.vector_norm(row, dim=(1, 2))
    return size if is_symmetric else size.sqrt()


def _balance(left: torch.Tensor, right: torch.Tensor) -> None:
    """Rescale both factors to the same largest entry, keeping their product."""
    ratio = (right.abs().flatten(1).amax(1) / left.abs().flatten(1).amax(1)).sqrt()
    left.mul_(ratio.reshape(-1, *[1] * (left.ndim - 1)))
    right.div_(ratio.reshape(-1, *[1] * (right.ndim - 1)))


def _product(a: torch.Tensor, b: torch.Tensor, group: Group) -> torch.Tensor:
    dtype = product_dtype(a.device, group["matmul_dtype"])
    return (a.to(dtype) @ b.to(dtype)).to(a.dtype)
