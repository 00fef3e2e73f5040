"""The multi-layer perceptron's parameters and layers, shared by all frameworks.

    h_0 = x,   h_l = act(W_l h_{l-1} + b_l),   logits = W_out h_L + b_out

With `norm` rms (Zhang and Sennrich, 2019) or layer (Ba et al., 2016), both without a bias, and
`placement` pre, every layer including the output gets N(h) instead of h; with post, a hidden layer
is h_l = act(N(W_l h_{l-1} + b_l)). If `residual`, h_{l-1} is added to h_l wherever widths agree.

Weights and biases are initialised as in `torch.nn.Linear`: uniform in +-1/sqrt(fan_in), a standard
deviation of 1/sqrt(3 fan_in); `init_scale` multiplies that of the weights. Sizes:

    inputs       the width of an example
    hidden       the widths of the hidden layers, at least one
    classes      the number of logits
    activation   relu, tanh, gelu (exact, with the error function), silu or squared_relu
    norm         none, rms or layer
    placement    where the norms are: pre or post
    residual     whether hidden layers have a residual connection
    init_scale   a factor on the weights' initial standard deviation
    base_width   the hidden width at which `width_multiplier` is 1
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.sizes import validate_sizes
from workloads.spec import Count, Frozen, Positive, Sizes

Place = Literal["none", "pre", "post"]
EPSILON = 1e-6
"""Added to the mean square in every normalisation."""


@dataclass(frozen=True)
class Layer:
    """A linear layer with its widths, its norm and its residual connection."""

    name: str
    fan_in: int
    fan_out: int
    norm: Place
    is_residual: bool = False

    @property
    def is_output(self) -> bool:
        """Whether it gives the logits."""
        return self.name == "output"

    @property
    def norm_name(self) -> str:
        """The name of the norm's module, if it has one."""
        return f"{self.name}_norm"

    @property
    def norm_width(self) -> int:
        """The width of what is normalised."""
        return self.fan_in if self.norm == "pre" else self.fan_out


class MlpSizes(Frozen):
    """The workload's validated `sizes`."""

    inputs: Count = 256
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (256, 256)
    classes: Count = 10
    activation: Literal["relu", "tanh", "gelu", "silu", "squared_relu"] = "relu"
    norm: Literal["none", "rms", "layer"] = "none"
    placement: Literal["pre", "post"] = "pre"
    residual: bool = False
    init_scale: Positive = 1.0
    base_width: Count = 256

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The linear layers, from the first to the output."""
        widths = (self.inputs, *self.hidden)
        norm: Place = self.placement if self.norm != "none" else "none"
        hidden = [
            Layer(f"hidden_{index}", fan_in, fan_out, norm, self.residual and fan_in == fan_out)
            for index, (fan_in, fan_out) in enumerate(zip(widths, self.hidden, strict=False), 1)
        ]
        before_output: Place = "pre" if norm == "pre" else "none"
        return (*hidden, Layer("output", self.hidden[-1], self.classes, before_output))

    @model_validator(mode="after")
    def _residual_connections_exist(self) -> Self:
        if self.residual and not any(layer.is_residual for layer in self.layers):
            raise ValueError(
                "residual is set, but no hidden layer is as wide as its input; leave residual out, "
                "or give two neighbours the same width"
            )
        return self


def validate(sizes: Sizes) -> MlpSizes:
    """The sizes as a typed value.

    Raises:
        HarnessError: a key is unknown or a value is not allowed.
    """
    return validate_sizes(MlpSizes, sizes, "mlp")


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """Weight (out, in), bias (out,) and, with a norm, gain of each layer, up to the output."""
    network = validate(sizes)
    return tuple(spec for layer in network.layers for spec in _layer_parameters(network, layer))


def multiplications(sizes: Sizes) -> float:
    """Multiplications in the products of one example's forward pass."""
    return float(sum(layer.fan_in * layer.fan_out for layer in validate(sizes).layers))


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """Empty: no norm has running statistics."""
    del sizes
    return ()


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """The linear layers, from the first to the output."""
    return tuple(
        LayerSpec(
            name=one.name, kind="linear", weight=f"{one.name}.weight", bias=f"{one.name}.bias"
        )
        for one in validate(sizes).layers
    )


def _layer_parameters(sizes: MlpSizes, layer: Layer) -> tuple[ParameterSpec, ...]:
    deviation = 1.0 / math.sqrt(3.0 * layer.fan_in)
    # The input dimension belongs to the data and does not scale with the model's width.
    multiplier = 1.0 if layer.name == "hidden_1" else layer.fan_in / sizes.base_width
    weight = ParameterSpec(
        name=f"{layer.name}.weight",
        shape=(layer.fan_out, layer.fan_in),
        role=Role.OUTPUT if layer.is_output else Role.HIDDEN_MATRIX,
        fan_in=layer.fan_in,
        fan_out=layer.fan_out,
        init=Init("uniform", sizes.init_scale * deviation),
        width_multiplier=multiplier,
    )
    bias = ParameterSpec(
        name=f"{layer.name}.bias",
        shape=(layer.fan_out,),
        role=Role.BIAS,
        fan_in=layer.fan_in,
        fan_out=layer.fan_out,
        init=Init("uniform", deviation),
        width_multiplier=multiplier,
    )
    if layer.norm == "none":
        return weight, bias
    gain = _gain(sizes, layer)
    return (gain, weight, bias) if layer.norm == "pre" else (weight, bias, gain)


def _gain(sizes: MlpSizes, layer: Layer) -> ParameterSpec:
    is_of_inputs = layer.name == "hidden_1" and layer.norm == "pre"
    return ParameterSpec(
        name=f"{layer.norm_name}.weight",
        shape=(layer.norm_width,),
        role=Role.NORM,
        fan_in=layer.norm_width,
        fan_out=layer.norm_width,
        init=Init("constant", 1.0),
        width_multiplier=1.0 if is_of_inputs else layer.norm_width / sizes.base_width,
    )
