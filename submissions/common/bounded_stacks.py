"""`precision.bound_gradient` of each matrix of a stack."""

from __future__ import annotations

import torch


def bound_each(stack: torch.Tensor) -> torch.Tensor:
    """`bound_gradient` of each matrix of (count, rows, columns)."""
    largest: torch.Tensor = torch.linalg.vector_norm(stack, ord=torch.inf, dim=(1, 2), keepdim=True)
    limit: float = torch.finfo(torch.promote_types(stack.dtype, torch.float32)).max ** 0.25 / 1e3
    # as there, what is read costs nothing on a CPU
    if stack.device.type == "cpu" and float(largest.max()) <= limit:
        return stack
    shrunk: torch.Tensor = stack * (limit / largest).clamp(max=1.0)
    return shrunk
