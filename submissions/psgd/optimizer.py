"""The optimizer behind `submission.py`, which states the update, its source and the deviations."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from submissions.common.matrix_sign import product_dtype
from submissions.common.optimizers import Group, GroupwiseOptimizer, State
from submissions.common.precision import bounded
from submissions.common.staggering import select_due

SIDES = ("left", "right")
BOUND_BETA = 0.9
FIRST_RATE = 0.5
BALANCE_EVERY = 100
LARGEST_ROTATION = 1 / 8


class Psgd(GroupwiseOptimizer):
    """PSGD with Kronecker factors, for parameters of any shape.

    Args:
        parameters: the parameters to optimise.
        settings: `lr`, `weight_decay`, `momentum`, `preconditioner_rate` (mu), `damping`,
            `update_every` (T), `burst`, `clip`, `max_dim`, `max_skew`, `initial_scale` and
            `matmul_dtype`.
    """

    def __init__(self, parameters: Iterable[torch.Tensor], **settings: object) -> None:
        super().__init__(parameters, settings | {"step": 0})

    def update(self, group: Group) -> None:
        """Update the parameters of one group."""
        live = [parameter for parameter in group["params"] if parameter.grad is not None]
        for parameter in live:
            state = self._state(parameter, group)
            state["step"] += 1
            state["momentum"].lerp_(bounded(parameter.grad), 1 - group["momentum"])
        for parameter in self._select_due(live, group):
            _fit(self.state[parameter], self._average(parameter, group), group)
        for parameter in live:
            step = _precondition(self.state[parameter], self._average(parameter, group), group)
            step = clipped(step, group["clip"])
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(step.view_as(parameter), alpha=-group["lr"])
        group["step"] += 1

    def _select_due(self, live: list[torch.Tensor], group: Group) -> list[torch.Tensor]:
        if group["step"] < group["burst"]:
            return live
        return select_due(live, group["step"], group["update_every"])

    def _average(self, parameter: torch.Tensor, group: Group) -> torch.Tensor:
        state: State = self.state[parameter]
        matrix = state["momentum"].reshape(len(parameter) if parameter.ndim > 1 else 1, -1)
        average: torch.Tensor = matrix / (1 - group["momentum"] ** state["step"])
        return average

    def _state(self, parameter: torch.Tensor, group: Group) -> State:
        state: State = self.state[parameter]
        if not state:
            state["step"] = state["fits"] = 0
            state["momentum"] = torch.zeros_like(parameter)
            scale = _initial_scale(parameter, group)
            for side, size in zip(SIDES, sides_of(parameter), strict=True):
                is_dense = is_dense_side(parameter, size, group)
                factor = torch.eye(size) if is_dense else torch.ones(size)
                state[side] = factor.to(parameter) * scale
                state[f"{side}_p"] = state[side] * scale
                state[f"{side}_bound"] = parameter.new_zeros(())
        return state


def sides_of(parameter: torch.Tensor) -> tuple[int, int]:
    """Rows and columns; a vector is a row."""
    rows, columns = parameter.flatten(1).shape if parameter.ndim > 1 else (1, parameter.numel())
    return rows, columns


def is_dense_side(parameter: torch.Tensor, size: int, group: Group) -> bool:
    """Whether a dimension gets a dense factor; a vector's, or a long one's, is diagonal."""
    skew = size**2 / max(parameter.numel(), 1)
    return parameter.ndim > 1 and size <= group["max_dim"] and skew <= group["max_skew"]


def _initial_scale(parameter: torch.Tensor, group: Group) -> torch.Tensor | float:
    """The scale of each factor Q at first: 1, or that which whitens the first gradient's size."""
    if group["initial_scale"] == "one" or parameter.grad is None:
        return 1.0
    return _root_mean_square(bounded(parameter.grad)).rsqrt().sqrt()


def clipped(step: torch.Tensor, bound: float) -> torch.Tensor:
    """A step of a root mean square of at most `bound`, changed in place."""
    return step.mul_((bound / _root_mean_square(step)).clamp_(max=1.0))


def _precondition(state: State, matrix: torch.Tensor, group: Group) -> torch.Tensor:
    """P_L X P_R."""
    dtype = product_dtype(matrix.device, group["matmul_dtype"])
    left: torch.Tensor = state["left_p"].to(dtype)
    right: torch.Tensor = state["right_p"].to(dtype)
    x: torch.Tensor = matrix.to(dtype)
    x = left @ x if left.ndim > 1 else left[:, None] * x
    x = x @ right if right.ndim > 1 else x * right
    return x.to(matrix.dtype)


def _fit(state: State, matrix: torch.Tensor, group: Group) -> None:
    """Take one step of both factors towards whitening the momentum."""
    state["fits"] += 1
    rate = max(group["preconditioner_rate"], FIRST_RATE / state["fits"])
    x = bounded(_precondition(state, matrix, group))
    size = [state[f"{side}_p"].to(x.dtype).square().sum() for side in SIDES]
    for place, side in enumerate(SIDES):
        other, of_side = x.shape[1 - place], x if place == 0 else x.mT
        noise = group["damping"] ** 2 * size[1 - place]
        if state[side].ndim > 1:
            _fit_dense(state, side, (of_side, other, noise), rate, group)
        else:
            _fit_diagonal(state, side, (of_side, other, noise), rate)
    dtype = product_dtype(matrix.device, group["matmul_dtype"])
    if state["fits"] % BALANCE_EVERY == 0:
        _balance(state)
    for side in SIDES:
        factor = state[side]
        p = _product(factor.mT, factor, group).to(dtype) if factor.ndim > 1 else factor**2
        state[f"{side}_p"] = p


Sample = tuple[torch.Tensor, int, torch.Tensor]
"""The whitened momentum with this dimension first; the other dimension's length and damping."""


def _fit_dense(state: State, side: str, sample: Sample, rate: float, group: Group) -> None:
    (x, other, noise), factor = sample, state[side]
    gram = _product(x, x.mT, group)
    p = state[f"{side}_p"]
    gram += noise * _product(p, p, group)
    bound = _raise_bound(state, side, _norm(gram) + other)
    gram.diagonal().sub_(other)
    factor.sub_(_product(gram, factor, group).mul_(rate / bound))
    _make_symmetric(factor, group)


def _fit_diagonal(state: State, side: str, sample: Sample, rate: float) -> None:
    x, other, noise = sample
    gram = x.square().sum(1) + noise * state[f"{side}_p"].square()
    bound = _raise_bound(state, side, gram.max() + other)
    state[side].mul_(1 - rate / bound * (gram - other))


def _raise_bound(state: State, side: str, now: torch.Tensor) -> torch.Tensor:
    """Update the running bound on the gradient's Lipschitz constant, never below `now`."""
    bound: torch.Tensor = state[f"{side}_bound"]
    return bound.lerp_(now, 1 - BOUND_BETA).clamp_(min=now)


def _make_symmetric(factor: torch.Tensor, group: Group) -> None:
    """Rotate Q towards the symmetric matrix with the same Q^T Q, by one ascent step on tr R Q.

    The rotation exp(a S), S skew-symmetric, is expanded to second order.
    """
    skew = factor.mT - factor
    skew /= _norm(skew, symmetric=False).clamp_(min=torch.finfo(skew.dtype).tiny ** 0.5)
    first = _product(skew, factor, group)
    second = _product(skew, first, group)
    rise, bend = first.diagonal().sum(), second.diagonal().sum()
    best = torch.where(bend < 0, -rise / bend, LARGEST_ROTATION).clamp(max=LARGEST_ROTATION)
    factor.add_(best * (first + 0.5 * best * second))


def _norm(matrix: torch.Tensor, *, symmetric: bool = True) -> torch.Tensor:
    """Lower bound on the largest singular value, by power iteration from the longest row."""
    longest = matrix.square().sum(1).argmax()
    row: torch.Tensor = matrix.index_select(0, longest[None])[0]  # an index in brackets is read
    tiny = torch.finfo(matrix.dtype).tiny ** 0.5
    for _ in range(2):
        row = row / row.norm().clamp(min=tiny)
        row = row @ matrix if symmetric else matrix.mT @ (matrix @ row)
    size: torch.Tensor = torch.linalg.vector_norm(row)
    return size if symmetric else size.sqrt()


def _balance(state: State) -> None:
    """Rescale both factors to the same largest entry, keeping their product."""
    ratio = (state["right"].abs().max() / state["left"].abs().max()).sqrt()
    state["left"].mul_(ratio)
    state["right"].div_(ratio)


def _product(a: torch.Tensor, b: torch.Tensor, group: Group) -> torch.Tensor:
    dtype = product_dtype(a.device, group["matmul_dtype"])
    return (a.to(dtype) @ b.to(dtype)).to(a.dtype)


def _root_mean_square(x: torch.Tensor) -> torch.Tensor:
    return x.square().mean().sqrt_().clamp_(min=torch.finfo(x.dtype).tiny ** 0.5)
