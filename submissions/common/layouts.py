"""Memory layouts of parameters and gradients, which torch's fused steps on a CPU take to be equal.

Those steps run through the memory of a parameter, its gradient and its state side by side without
reading their strides: on the transpose of a gradient they are silently wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import torch
from torch.optim import Optimizer

OptimizerT = TypeVar("OptimizerT", bound=Optimizer)


def is_dense(value: torch.Tensor) -> bool:
    """Whether a tensor fills its memory, in whatever order, so that its state is laid out alike."""
    return torch.empty_like(value, device="meta").stride() == value.stride()


def with_matching_gradients(optimizer: OptimizerT) -> OptimizerT:
    """Copy gradients into their parameters' layout before each step; only those that differ.

    The optimizer becomes one of a subclass, as a hook would count as state that is not saved.
    """
    kind: Any = type(optimizer)
    optimizer.__class__ = _matching(kind)
    return optimizer


@cache
def _matching(kind: Any) -> Any:
    def step(self: Optimizer, closure: Callable[[], float] | None = None) -> Any:
        if closure is None:
            _match_gradients(self)
            return kind.step(self)

        def evaluate() -> float:
            loss = closure()
            _match_gradients(self)
            return loss

        return kind.step(self, evaluate)

    # kind.step runs the hooks; torch would wrap this one for them, too, when a state is loaded
    step.hooked = True  # type: ignore[attr-defined]
    return type(kind.__name__, (kind,), {"step": step, "__module__": kind.__module__})


def _match_gradients(optimizer: Optimizer) -> None:
    for group in optimizer.param_groups:
        for value in group["params"]:
            gradient = value.grad
            if gradient is not None and gradient.stride() != value.stride():
                value.grad = torch.empty_like(value).copy_(gradient)
