"""The optimizer behind `submission.py`, which states the update, its source and the deviations.

Parameters of one shape are updated together: alone, each would start some 25 kernels a step on a
GPU, and 120 where its factors are fitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from submissions.common.bounded_stacks import bound_each
from submissions.common.matrix_sign import product_dtype
from submissions.common.optimizers import Group, GroupwiseOptimizer, State
from submissions.common.precision import bound_gradient
from submissions.common.staggering import select_due
from submissions.common.vectors import CACHED

from .factors import SIDES, fit, precondition
from .stacks import clip_steps, matrices_of, root_mean_square, sides_of, stack_values


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
            self._state(parameter, group)["step"] += 1
        for some in self._group_by_shape(live, "step"):
            self._take_in(some, group)
        for some in self._group_by_shape(self._select_due(live, group), "step", "fits"):
            fit([self.state[one] for one in some], self._average(some, group), group)
        for some in self._group_by_shape(live, "step"):
            self._move(some, group)
        group["step"] += 1

    def _select_due(self, live: list[torch.Tensor], group: Group) -> list[torch.Tensor]:
        if group["step"] < group["burst"]:
            return live
        return select_due(live, group["step"], group["update_every"])

    def _group_by_shape(
        self, parameters: Iterable[torch.Tensor], *counts: str
    ) -> Iterator[list[torch.Tensor]]:
        """Groups of parameters of one shape and equal counts; on a CPU each fits in cache."""
        stacks: dict[tuple[object, ...], list[torch.Tensor]] = {}
        for one in parameters:
            equal = tuple(self.state[one][name] for name in counts)
            key = sides_of(one), one.ndim > 1, one.dtype, one.device, equal
            stacks.setdefault(key, []).append(one)
        for some in stacks.values():
            is_on_cpu = some[0].device.type == "cpu"
            size = max(1, CACHED // some[0].numel()) if is_on_cpu else len(some)
            yield from (some[start : start + size] for start in range(0, len(some), size))

    def _take_in(self, some: list[torch.Tensor], group: Group) -> None:
        """Move the momenta towards the gradients."""
        gradients = bound_each(matrices_of([one.grad for one in some if one.grad is not None]))
        towards = [gradient.view_as(one) for gradient, one in zip(gradients, some, strict=True)]
        momenta = [self.state[one]["momentum"] for one in some]
        torch._foreach_lerp_(momenta, towards, 1 - group["momentum"])

    def _average(self, some: list[torch.Tensor], group: Group) -> torch.Tensor:
        """The bias-corrected momenta, (count, rows, columns)."""
        momenta = matrices_of([self.state[one]["momentum"] for one in some])
        average: torch.Tensor = momenta / (1 - group["momentum"] ** self.state[some[0]]["step"])
        return average

    def _move(self, some: list[torch.Tensor], group: Group) -> None:
        """Take the step."""
        states = [self.state[one] for one in some]
        metric = [stack_values(states, f"{side}_p") for side in SIDES]
        steps = clip_steps(precondition(metric, self._average(some, group), group), group["clip"])
        torch._foreach_mul_(some, 1 - group["lr"] * group["weight_decay"])
        moves = [step.view_as(one) for step, one in zip(steps, some, strict=True)]
        torch._foreach_add_(some, moves, alpha=-group["lr"])

    def _state(self, parameter: torch.Tensor, group: Group) -> State:
        state: State = self.state[parameter]
        if not state:
            state["step"] = state["fits"] = 0
            state["momentum"] = torch.zeros_like(parameter)
            scale = _initial_scale(parameter, group)
            dtype = product_dtype(parameter.device, group["matmul_dtype"])
            for side, size in zip(SIDES, sides_of(parameter), strict=True):
                is_dense = is_dense_side(parameter, size, group)
                ones = parameter.new_ones(size)
                factor = ones.diag() if is_dense else ones
                state[side] = factor * scale
                metric = state[side] * scale
                state[f"{side}_p"] = metric.to(dtype) if is_dense else metric
                state[f"{side}_bound"] = parameter.new_zeros(())
        return state


def is_dense_side(parameter: torch.Tensor, size: int, group: Group) -> bool:
    """Whether a dimension gets a dense factor; a vector's, or a long one's, is diagonal."""
    skew = size**2 / max(parameter.numel(), 1)
    return parameter.ndim > 1 and size <= group["max_dim"] and skew <= group["max_skew"]


def _initial_scale(parameter: torch.Tensor, group: Group) -> torch.Tensor | float:
    """The scale of each factor Q at first: 1, or that which whitens the first gradient's size.

    A layer may have no gradient at first, as those before a norm whose gain starts at zero.
    """
    if group["initial_scale"] == "one" or parameter.grad is None:
        return 1.0
    (matrix,) = matrices_of([bound_gradient(parameter.grad)])
    size = root_mean_square(matrix).clamp_(min=group["damping"])
    return size.rsqrt().sqrt().squeeze()
