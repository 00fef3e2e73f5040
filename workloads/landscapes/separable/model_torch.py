"""Logistic regression in PyTorch; see `model.py` for the definition."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from workloads.landscapes.separable.model import validate
from workloads.spec import Sizes


def build(sizes: Sizes) -> nn.Module:
    """Inputs (batch, inputs) to logits (batch, 2)."""
    layer = nn.Linear(validate(sizes).inputs, 2, bias=False)
    return nn.Sequential(OrderedDict(output=layer))
