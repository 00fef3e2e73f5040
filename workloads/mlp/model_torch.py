"""The multi-layer perceptron in PyTorch; see `model.py` for the definition."""

from __future__ import annotations

import torch
from torch import nn

from workloads.mlp.model import checked
from workloads.spec import Sizes

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}


class Mlp(nn.Sequential):
    """A chain of named `nn.Linear` modules and activations; hooks fire on every module.

    `forward(inputs)` maps (batch, inputs) to logits (batch, classes).
    """


def build(sizes: Sizes) -> nn.Module:
    """The model on the default device, with parameters named and ordered as in `model.py`.

    Values are torch's default initialisation; the referee replaces them with its own.
    """
    checked_sizes = checked(sizes)
    activation = ACTIVATIONS[checked_sizes.activation]
    model = Mlp()
    for name, fan_in, fan_out in checked_sizes.widths:
        model.add_module(name, nn.Linear(fan_in, fan_out, dtype=torch.float32))
        if name != "output":
            model.add_module(f"activation_{name.removeprefix('hidden_')}", activation())
    return model
