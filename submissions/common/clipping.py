"""Gradients of a bounded norm, for classes that make their own passes; builds are clipped for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.core.errors import HarnessError
from harness.submission.interface import Hyperparameters


def bound_of(point: Hyperparameters) -> float:
    """`clip`, the largest norm that a point allows; 0, also where it says nothing, is no bound.

    Raises:
        HarnessError: it is below 0.
    """
    bound = float(point.get("clip", 0.0))
    if not bound >= 0.0:
        raise HarnessError(f"clip is {bound}", "allowed: 0 (off) or a largest norm")
    return bound


def clipped(gradients: Sequence[Tensor], bound: float) -> list[Tensor]:
    """The gradients, together scaled to a norm of at most the bound.

    Args:
        gradients: of all parameters; they stay as they are, as autograd may give one tensor twice.
        bound: the largest norm; 0 for none.
    """
    if bound == 0.0 or not gradients:
        return list(gradients)
    factor = bound / (torch.nn.utils.get_total_norm(gradients) + 1e-6)
    return list(torch._foreach_mul(list(gradients), factor.clamp(max=1.0)))
