"""Gradient clipping for submission classes; for a `build` function the harness clips."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def clip_gradients(gradients: Sequence[Tensor], bound: float) -> list[Tensor]:
    """Scale the gradients jointly to a global norm of at most `bound`.

    Args:
        gradients: gradients of all parameters; not modified, as autograd may return a tensor twice.
        bound: the largest global norm; 0 for no clipping.
    """
    if bound == 0.0 or not gradients:
        return list(gradients)
    factor = bound / (torch.nn.utils.get_total_norm(gradients) + 1e-6)
    return list(torch._foreach_mul(list(gradients), factor.clamp(max=1.0)))
