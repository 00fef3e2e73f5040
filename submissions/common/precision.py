"""The precision of gradient statistics and their decompositions."""

from __future__ import annotations

import torch


def at_least_float32(values: torch.Tensor) -> torch.Tensor:
    """Cast lower precisions to float32, which LAPACK and moving averages need.

    A moving average in bfloat16, whose relative spacing is 1/256, loses an increment of weight
    1 - beta to rounding.
    """
    return values.float() if values.dtype.itemsize < 4 else values
