"""The probes' model in PyTorch; see `model.py` for the definition."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from workloads.probes.model import IDLE, ProbeSizes, validate
from workloads.spec import Sizes

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": nn.Identity(),
    "tanh": torch.tanh,
    "relu": torch.relu,
}


class Chain(nn.Module):
    """Inputs (batch, inputs) to predictions or logits (batch, outputs)."""

    def __init__(self, sizes: ProbeSizes) -> None:
        super().__init__()
        self.sizes, self.chain = sizes, sizes.chain
        self.activation = ACTIVATIONS[sizes.activation]
        for layer in sizes.distinct:
            linear = nn.Linear(layer.fan_in, layer.fan_out, bias=sizes.has_bias(layer))
            self.add_module(layer.name, linear)

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the chain and, if there is one, the idle layer."""
        values = inputs
        for layer in self.chain:
            values = layer.multiplier * self.get_submodule(layer.name)(values)
            values = values if layer.is_last else self.activation(values)
        if self.sizes.has_idle_layer:
            values = values + 0.0 * self.get_submodule(IDLE)(inputs)
        return values


def build(sizes: Sizes) -> nn.Module:
    """The chain as a module, with torch's own initial values; the referee replaces them."""
    return Chain(validate(sizes))
