"""The precision and the range of gradient statistics and their decompositions."""

from __future__ import annotations

import torch


def at_least_float32(values: torch.Tensor) -> torch.Tensor:
    """Cast lower precisions to float32, which LAPACK and moving averages need.

    A moving average in bfloat16, whose relative spacing is 1/256, loses an increment of weight
    1 - beta to rounding.
    """
    return values.float() if values.dtype.itemsize < 4 else values


def signs(values: torch.Tensor) -> torch.Tensor:
    """The signs, and NaN where an entry is not finite: torch's sign of NaN, 0, would hide it."""
    result: torch.Tensor = values.sign().add_(values, alpha=0.0)
    return result


def bound_gradient(gradient: torch.Tensor) -> torch.Tensor:
    """Scale a finite gradient down so that sums of its fourth powers do not overflow.

    Its largest entry becomes at most 4e6 (in float64 1e74); smaller gradients are returned as they
    are. Factors are squares of gradients, and norms of factors squares of those: one gradient of
    1e20 would leave infinities there for good. One that is not finite becomes NaN and shows up.
    """
    largest: torch.Tensor = torch.linalg.vector_norm(gradient, ord=torch.inf)
    limit: float = torch.finfo(torch.promote_types(gradient.dtype, torch.float32)).max ** 0.25 / 1e3
    # reading the norm costs nothing on a CPU, and elsewhere more than the product that it saves
    if gradient.device.type == "cpu" and float(largest) <= limit:
        return gradient
    return gradient * (limit / largest).clamp(max=1.0)
