"""The small perceptron in PyTorch; see `model.py` for the definition."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.landscapes.small_mlp.model import EPSILON, SmallMlpSizes, validate
from workloads.spec import Sizes


class SmallMlp(nn.Module):
    """Inputs (batch, inputs) to logits (batch, classes)."""

    def __init__(self, sizes: SmallMlpSizes) -> None:
        super().__init__()
        self.sizes = sizes
        for name, fan_in, fan_out, _ in sizes.layers:
            layer = nn.Linear(fan_in, fan_out, bias=sizes.has_bias(name), dtype=torch.float32)
            self.add_module(name, layer)

    def forward(self, inputs: Tensor) -> Tensor:
        """The logits."""
        values = inputs
        for name, _, width, scale in self.sizes.layers:
            values = self.get_submodule(name)(values)
            values = values if scale == 1.0 else scale * values
            if name != "output":
                if self.sizes.is_normalised:
                    values = functional.rms_norm(values, (width,), eps=EPSILON)
                values = values.relu() if self.sizes.activation == "relu" else values.tanh()
        return values


def build(sizes: Sizes) -> nn.Module:
    """The model on the default device, with parameters named and ordered as in `model.py`."""
    return SmallMlp(validate(sizes))
