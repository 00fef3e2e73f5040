"""Memory layouts of parameters and gradients, which torch's fused steps on a CPU take to be equal.

Those steps run through the memory of a parameter, its gradient and its state side by side without
reading their strides: on the transpose of a gradient they are silently wrong.
"""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch.optim import Optimizer

OptimizerT = TypeVar("OptimizerT", bound=Optimizer)


def is_dense(value: torch.Tensor) -> bool:
    """Whether a tensor fills its memory, in whatever order, so that its state is laid out alike."""
    return torch.empty_like(value, device="meta").stride() == value.stride()


def with_matching_gradients(optimizer: OptimizerT) -> OptimizerT:
    """Copy gradients into their parameters' layout before each step; only those that differ.

    The gradients that a step's closure computes come after this and have to match by themselves.
    """
    optimizer.register_step_pre_hook(_match_gradients)
    return optimizer


def _match_gradients(optimizer: Optimizer, *_: Any) -> None:
    for group in optimizer.param_groups:
        for value in group["params"]:
            gradient = value.grad
            if gradient is not None and gradient.stride() != value.stride():
                value.grad = torch.empty_like(value).copy_(gradient)
