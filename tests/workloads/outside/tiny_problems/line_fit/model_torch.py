"""The linear map in PyTorch."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from workloads.spec import Sizes


def build(sizes: Sizes) -> nn.Module:
    """Inputs (batch, inputs) to predictions (batch, outputs)."""
    line = nn.Linear(sizes["inputs"], sizes["outputs"])
    return nn.Sequential(OrderedDict(line=line))
