"""The residual network's parameters, buffers and layers, shared by all frameworks.

    x   = (pixels - 127.5) / 63.75
    h   = pool(act(norm(stem * x)))
    h   = act(F(h) + S(h))         F: two 3x3 convolutions (basic) or 1x1, 3x3, 1x1 (bottleneck),
                                   each with its norm, with activations between; S: the identity,
                                   or a 1x1 convolution with its norm where shapes differ
    y   = W mean(h) + b

(He et al., 2016, "Deep residual learning for image recognition"). Each stage except the first
halves height and width and doubles the channels; a bottleneck strides in its 3x3 convolution and
expands four times. Without `residual` a block is h = act(F(h)). Convolutions have no bias and start
normal with standard deviation sqrt(2 / fan_out) (He et al., 2015, "Delving deep into rectifiers"),
the output layer as `torch.nn.Linear`. Sizes:

    channels       the channels of an image
    classes        the number of logits
    block          basic or bottleneck
    blocks         the number of blocks in each stage
    width          channels of the first stage
    kernel         the size of the 3x3 convolutions: 3 or 5
    residual       whether S(h) is added
    stem           the kernel size of the first convolution: 3, 5, or 7 with stride and 3x3 pooling
    activation     relu, silu or gelu
    normalisation  batch, or group (with `groups` groups; no running statistics)
    last_gain      the initial gain of each block's last norm; 0 makes blocks start as identities
    init_scale     a factor on the convolutions' initial standard deviation
    base_width     the width at which `width_multiplier` is 1
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.sizes import validate_sizes
from workloads.spec import Count, Frozen, Positive, Sizes

WIDENING = 4
"""Ratio of a bottleneck's output channels to its inner channels."""


class ResnetSizes(Frozen):
    """The workload's validated `sizes`."""

    channels: Count = 3
    classes: Count = 10
    block: Literal["basic", "bottleneck"] = "basic"
    blocks: Annotated[tuple[Count, ...], Field(min_length=1)] = (1, 1, 1)
    width: Count = 16
    kernel: Literal[3, 5] = 3
    residual: bool = True
    stem: Literal[3, 5, 7] = 3
    activation: Literal["relu", "silu", "gelu"] = "relu"
    normalisation: Literal["batch", "group"] = "batch"
    groups: Count = 8
    last_gain: Annotated[float, Field(ge=0.0)] = 1.0
    init_scale: Positive = 1.0
    base_width: Count = 16

    @model_validator(mode="after")
    def _groups_divide_the_width(self) -> Self:
        if self.normalisation == "group" and self.width % self.groups:
            raise ValueError(f"groups is {self.groups}; allowed: divisors of width = {self.width}")
        return self

    @model_validator(mode="after")
    def _something_passes_a_block(self) -> Self:
        if not self.residual and self.last_gain == 0.0:
            raise ValueError(
                "last_gain = 0.0 without residual connections: each block's output would be 0; set "
                "residual = true, or last_gain above 0"
            )
        return self

    @property
    def widening(self) -> int:
        """Ratio of a block's output channels to its inner channels."""
        return WIDENING if self.block == "bottleneck" else 1

    @property
    def features(self) -> int:
        """Number of pooled features that enter the output layer."""
        return (self.width << (len(self.blocks) - 1)) * self.widening


@dataclass(frozen=True)
class Unit:
    """A convolution followed by a norm."""

    name: str
    channels_in: int
    channels_out: int
    kernel: int
    stride: int = 1
    gain: float = 1.0
    """Initial value of the norm's gains."""

    @property
    def padding(self) -> int:
        """Zero padding that preserves height and width at stride one."""
        return self.kernel // 2

    @property
    def convolution(self) -> str:
        """The name of the convolution's module."""
        return f"{self.name}.convolution"

    @property
    def norm(self) -> str:
        """The name of the norm's module."""
        return f"{self.name}.norm"


@dataclass(frozen=True)
class Block:
    """A block: its units in order, and a shortcut unit where shapes differ."""

    name: str
    units: tuple[Unit, ...]
    shortcut: Unit | None


def validate(sizes: Sizes) -> ResnetSizes:
    """The sizes as a typed value.

    Raises:
        HarnessError: a key is unknown or a value is not allowed.
    """
    return validate_sizes(ResnetSizes, sizes, "resnet")


def stem_of(sizes: ResnetSizes) -> Unit:
    """The first convolution; a 7x7 one has stride 2."""
    return Unit("stem", sizes.channels, sizes.width, sizes.stem, stride=2 if sizes.stem == 7 else 1)


def blocks_of(sizes: ResnetSizes) -> tuple[Block, ...]:
    """The blocks of all stages, in order, named `stage_i_block_j`."""
    blocks = []
    channels = sizes.width
    for stage, count in enumerate(sizes.blocks, 1):
        width = sizes.width << (stage - 1)
        for number in range(1, count + 1):
            stride = 2 if stage > 1 and number == 1 else 1
            blocks.append(_block(sizes, f"stage_{stage}_block_{number}", channels, width, stride))
            channels = width * sizes.widening
    return tuple(blocks)


def units_of(sizes: ResnetSizes) -> tuple[Unit, ...]:
    """All units in the order of their parameters."""
    return tuple(_units(sizes))


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """Kernel, gain and bias of each unit, then weight and bias of the output."""
    network = validate(sizes)
    of_units = [spec for unit in units_of(network) for spec in _unit_parameters(network, unit)]
    return (*of_units, *_output_parameters(network))


def multiplications(sizes: Sizes) -> float:
    """Multiplications in the convolutions of a forward pass, for each pixel of an image."""
    network = validate(sizes)
    stem, area = stem_of(network), 1.0 / stem_of(network).stride ** 2
    total = area * _kernel_size(stem)
    area = area / 4 if network.stem == 7 else area
    for block in blocks_of(network):
        for unit in block.units:
            area /= unit.stride**2
            total += area * _kernel_size(unit)
        total += area * _kernel_size(block.shortcut) if block.shortcut else 0.0
    return total


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """Running mean and variance of each batch norm; none with group norm."""
    network = validate(sizes)
    if network.normalisation == "group":
        return ()
    return tuple(
        BufferSpec(f"{unit.norm}.{name}", (unit.channels_out,), value)
        for unit in units_of(network)
        for name, value in (("running_mean", 0.0), ("running_var", 1.0))
    )


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """The convolutions in the order of their parameters, and the output."""
    convolutions = [
        LayerSpec(
            name=unit.convolution,
            kind="convolution",
            weight=f"{unit.convolution}.weight",
            shared_over="space",
            stride=unit.stride,
            padding=unit.padding,
        )
        for unit in units_of(validate(sizes))
    ]
    output = LayerSpec(name="output", kind="linear", weight="output.weight", bias="output.bias")
    return (*convolutions, output)


def _block(sizes: ResnetSizes, name: str, channels: int, width: int, stride: int) -> Block:
    out = width * sizes.widening
    gain = sizes.last_gain
    units: tuple[Unit, ...]
    if sizes.block == "basic":
        units = (
            Unit(f"{name}.branch.0", channels, width, sizes.kernel, stride),
            Unit(f"{name}.branch.1", width, out, sizes.kernel, gain=gain),
        )
    else:
        units = (
            Unit(f"{name}.branch.0", channels, width, 1),
            Unit(f"{name}.branch.1", width, width, sizes.kernel, stride),
            Unit(f"{name}.branch.2", width, out, 1, gain=gain),
        )
    needs_shortcut = sizes.residual and (stride != 1 or channels != out)
    shortcut = Unit(f"{name}.shortcut", channels, out, 1, stride) if needs_shortcut else None
    return Block(name, units, shortcut)


def _units(sizes: ResnetSizes) -> Iterator[Unit]:
    yield stem_of(sizes)
    for block in blocks_of(sizes):
        yield from block.units
        if block.shortcut is not None:
            yield block.shortcut


def _kernel_size(unit: Unit) -> int:
    return unit.channels_in * unit.channels_out * unit.kernel**2


def _unit_parameters(sizes: ResnetSizes, unit: Unit) -> Iterator[ParameterSpec]:
    area = unit.kernel**2
    # The image's channels belong to the data and do not scale with the model's width.
    multiplier = 1.0 if unit.name == "stem" else sizes.width / sizes.base_width
    yield ParameterSpec(
        name=f"{unit.convolution}.weight",
        shape=(unit.channels_out, unit.channels_in, unit.kernel, unit.kernel),
        role=Role.CONVOLUTION,
        fan_in=unit.channels_in * area,
        fan_out=unit.channels_out * area,
        init=Init("normal", sizes.init_scale * math.sqrt(2.0 / (unit.channels_out * area))),
        width_multiplier=multiplier,
        is_normalised=True,
    )
    for name, value, role in (("weight", unit.gain, Role.NORM), ("bias", 0.0, Role.BIAS)):
        yield ParameterSpec(
            name=f"{unit.norm}.{name}",
            shape=(unit.channels_out,),
            role=role,
            fan_in=unit.channels_out,
            fan_out=unit.channels_out,
            init=Init("constant", value),
            width_multiplier=sizes.width / sizes.base_width,
        )


def _output_parameters(sizes: ResnetSizes) -> Iterator[ParameterSpec]:
    deviation = 1.0 / math.sqrt(3.0 * sizes.features)
    for name, shape, role in (
        ("weight", (sizes.classes, sizes.features), Role.OUTPUT),
        ("bias", (sizes.classes,), Role.BIAS),
    ):
        yield ParameterSpec(
            name=f"output.{name}",
            shape=shape,
            role=role,
            fan_in=sizes.features,
            fan_out=sizes.classes,
            init=Init("uniform", deviation),
            width_multiplier=sizes.width / sizes.base_width,
        )
