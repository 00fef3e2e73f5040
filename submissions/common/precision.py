"""The precision in which a method keeps and decomposes what it learns of the gradients."""

from __future__ import annotations

import torch


def at_least_float32(values: torch.Tensor) -> torch.Tensor:
    """The values in float32 where they have fewer bits: LAPACK has nothing below, nor do averages.

    An average of weight 1 - beta on the new loses it in bfloat16, whose numbers are 1/256 apart.
    """
    return values.float() if values.dtype.itemsize < 4 else values
