"""The network in PyTorch; see `model.py`."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from workloads.spec import Sizes


def build(sizes: Sizes) -> nn.Module:
    """Inputs (batch, inputs) to predictions (batch, outputs); parameters are named as there."""
    hidden = nn.Linear(sizes["inputs"], sizes["hidden"])
    output = nn.Linear(sizes["hidden"], sizes["outputs"])
    return nn.Sequential(OrderedDict(hidden=hidden, activation=nn.Tanh(), output=output))
