"""The multi-layer perceptron in PyTorch; see `model.py` for the definition."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from workloads.blocks_torch import ACTIVATIONS, Norm
from workloads.mlp.model import EPSILON, Layer, MlpSizes, validate
from workloads.spec import Sizes


class Mlp(nn.Sequential):
    """A chain of named linear modules, norms and activations; hooks fire on every module.

    `forward(inputs)` maps (batch, inputs) to logits (batch, classes).
    """

    def __init__(self, sizes: MlpSizes) -> None:
        super().__init__()
        self.chains: list[tuple[Layer, tuple[str, ...]]] = []
        for layer in sizes.layers:
            modules = modules_of(sizes, layer)
            self.chains.append((layer, tuple(modules)))
            for name, module in modules.items():
                self.add_module(name, module)

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the chain, with the residual connections around its layers."""
        values = inputs
        for layer, names in self.chains:
            entering = values
            for name in names:
                values = self.get_submodule(name)(values)
            values = values + entering if layer.is_residual else values
        return values


def modules_of(sizes: MlpSizes, layer: Layer) -> dict[str, nn.Module]:
    """A layer's linear module, norm and activation by their names, in their order."""
    chain: list[tuple[str, nn.Module]] = [
        (layer.name, nn.Linear(layer.fan_in, layer.fan_out, dtype=torch.float32))
    ]
    if layer.norm != "none":
        norm = Norm(layer.norm_width, sizes.norm, EPSILON)
        chain.insert(0 if layer.norm == "pre" else 1, (layer.norm_name, norm))
    if not layer.is_output:
        name = f"activation_{layer.name.removeprefix('hidden_')}"
        chain.append((name, ACTIVATIONS[sizes.activation]()))
    return dict(chain)


def build(sizes: Sizes) -> nn.Module:
    """The model on the default device, with parameters named and ordered as in `model.py`.

    Values are torch's default initialisation; the referee replaces them with its own.
    """
    return Mlp(validate(sizes))
