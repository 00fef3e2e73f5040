"""The residual network in PyTorch; see `model.py` for the definition."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.blocks_torch import ACTIVATIONS
from workloads.modules_torch import BatchNorm2d
from workloads.resnet.model import Block, ResnetSizes, Unit, blocks_of, stem_of, validate
from workloads.spec import Sizes


class ConvolutionNorm(nn.Module):
    """A convolution without bias, followed by a norm."""

    def __init__(self, sizes: ResnetSizes, unit: Unit) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(
            unit.channels_in,
            unit.channels_out,
            unit.kernel,
            stride=unit.stride,
            padding=unit.padding,
            bias=False,
        )
        self.norm: nn.Module = (
            BatchNorm2d(unit.channels_out)
            if sizes.normalisation == "batch"
            else nn.GroupNorm(sizes.groups, unit.channels_out)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map (batch, in, height, width) to (batch, out, height / stride, width / stride)."""
        result: Tensor = self.norm(self.convolution(images))
        return result


class Residual(nn.Module):
    """act(F(h) + S(h)): the units of a block in parallel with its shortcut; or act(F(h))."""

    def __init__(self, sizes: ResnetSizes, block: Block) -> None:
        super().__init__()
        self.branch = nn.ModuleList([ConvolutionNorm(sizes, unit) for unit in block.units])
        self.shortcut = None if block.shortcut is None else ConvolutionNorm(sizes, block.shortcut)
        self.activation = ACTIVATIONS[sizes.activation]()
        self.is_residual = sizes.residual

    def forward(self, images: Tensor) -> Tensor:
        """Apply the block; shapes as for `ConvolutionNorm`."""
        values = images
        for number, unit in enumerate(self.branch):
            values = unit(self.activation(values) if number else values)
        if self.is_residual:
            values = values + (images if self.shortcut is None else self.shortcut(images))
        result: Tensor = self.activation(values)
        return result


class Resnet(nn.Sequential):
    """Images, uint8 (batch, channels, height, width), to logits (batch, classes)."""

    def __init__(self, sizes: ResnetSizes) -> None:
        super().__init__()
        self.add_module("stem", ConvolutionNorm(sizes, stem_of(sizes)))
        self.add_module("activation", ACTIVATIONS[sizes.activation]())
        for block in blocks_of(sizes):
            self.add_module(block.name, Residual(sizes, block))
        self.add_module("output", nn.Linear(sizes.features, sizes.classes))
        self.is_pooled = sizes.stem == 7

    def forward(self, images: Tensor) -> Tensor:
        """Use channels-last internally: twice as fast on a CPU, and preferred by tensor cores."""
        stem, activation, *blocks, output = self
        images = images.contiguous(memory_format=torch.channels_last)
        pixels = images.to(next(output.parameters()).dtype)
        values = activation(stem((pixels - 127.5) / 63.75))
        if self.is_pooled:
            values = functional.max_pool2d(values, 3, stride=2, padding=1)
        for block in blocks:
            values = block(values)
        logits: Tensor = output(values.mean(dim=(2, 3)))
        return logits


def build(sizes: Sizes) -> nn.Module:
    """The model on the default device, with parameters named and ordered as in `model.py`.

    Values are torch's default initialisation; the referee replaces them with its own.
    """
    model = Resnet(validate(sizes))
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.contiguous(memory_format=torch.channels_last)
    return model
