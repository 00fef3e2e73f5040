"""Tensors of equal shape as stacks of matrices, (count, rows, columns), and back."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from submissions.common.optimizers import State


def sides_of(parameter: torch.Tensor) -> tuple[int, int]:
    """Rows and columns; a vector is a row."""
    rows, columns = parameter.flatten(1).shape if parameter.ndim > 1 else (1, parameter.numel())
    return rows, columns


def matrices_of(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Tensors of one shape as matrices, (count, rows, columns); a view if there is only one."""
    parts = [one.reshape(sides_of(one)) for one in tensors]
    return parts[0][None] if len(parts) == 1 else torch.stack(parts)


def stack_values(states: Sequence[State], name: str) -> torch.Tensor:
    """One value of several states, stacked; of one state a view of it."""
    values = [state[name] for state in states]
    return values[0][None] if len(values) == 1 else torch.stack(values)


def put_back(states: Sequence[State], name: str, stack: torch.Tensor) -> None:
    """Write the parts of a stack back into the states."""
    if len(states) == 1:
        states[0][name] = stack[0]
    else:
        torch._foreach_copy_([state[name] for state in states], list(stack.unbind()))


def root_mean_square(x: torch.Tensor) -> torch.Tensor:
    """Of each matrix of (..., rows, columns), as (..., 1, 1)."""
    mean = x.square().mean((-2, -1), keepdim=True)
    return mean.sqrt_().clamp_(min=torch.finfo(x.dtype).tiny ** 0.5)


def clip_steps(step: torch.Tensor, bound: float) -> torch.Tensor:
    """Steps (..., rows, columns) of a root mean square of at most `bound`, changed in place."""
    return step.mul_((bound / root_mean_square(step)).clamp_(max=1.0))
