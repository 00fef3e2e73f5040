"""A small perceptron whose layers can be normalised or scaled, shared by all frameworks.

    h_0 = x,   s_l = c_l (W_l h_{l-1} + b_l),   h_l = act(s_l / rms(s_l)) or act(s_l)
    logits = c_out (W_out h_L + b_out)

Weights and biases start uniform in +-1/(c_l sqrt(fan_in)), so that the scales c leave the initial
function as it is and multiply the Hessian's block of layer l by c_l^2. (Zhang et al., 2024,
scale layers' outputs to make blocks heterogeneous.) With `is_normalised`, rms(s)^2 is
mean(s^2) + 1e-6, and the hidden layers have no biases: their weights' norms do not matter. Sizes:

    inputs          the width of an example
    hidden          the widths of the hidden layers, at least one
    classes         the number of logits
    activation      relu or tanh
    is_normalised   whether hidden layers are normalised
    scales          c of each layer, the output included; none for ones
    base_width      the hidden width at which `width_multiplier` is 1
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.sizes import validate_sizes
from workloads.spec import Count, Frozen, Positive, Sizes

EPSILON = 1e-6


class SmallMlpSizes(Frozen):
    """The workload's validated `sizes`."""

    inputs: Count = 32
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (64, 64)
    classes: Count = 10
    activation: Literal["relu", "tanh"] = "relu"
    is_normalised: bool = False
    scales: tuple[Positive, ...] = ()
    base_width: Count = 64

    @model_validator(mode="after")
    def _has_a_scale_for_each_layer(self) -> Self:
        if self.scales and len(self.scales) != len(self.hidden) + 1:
            raise ValueError(
                f"scales has {len(self.scales)} numbers; allowed: none, or one for each of the "
                f"{len(self.hidden) + 1} layers"
            )
        return self

    @property
    def layers(self) -> tuple[tuple[str, int, int, float], ...]:
        """Name, input width, output width and scale of each layer, from the first to the output."""
        widths = (self.inputs, *self.hidden, self.classes)
        names = [f"hidden_{number}" for number in range(1, len(self.hidden) + 1)]
        scales = self.scales or (1.0,) * (len(names) + 1)
        return tuple(zip([*names, "output"], widths, widths[1:], scales, strict=False))

    def has_bias(self, layer: str) -> bool:
        """Whether a layer has one."""
        return layer == "output" or not self.is_normalised


def validate(sizes: Sizes) -> SmallMlpSizes:
    """The sizes as a typed value.

    Raises:
        HarnessError: a key is unknown or a value is not allowed.
    """
    return validate_sizes(SmallMlpSizes, sizes, "small_mlp")


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """Weight (out, in) and, where there is one, bias (out,) of each layer."""
    network = validate(sizes)
    return tuple(spec for layer in network.layers for spec in _layer_parameters(network, *layer))


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """None: each example is normalised by itself."""
    del sizes
    return ()


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """The linear layers, from the first to the output."""
    network = validate(sizes)
    biases = {
        name: f"{name}.bias" if network.has_bias(name) else None for name, *_ in network.layers
    }
    return tuple(LayerSpec(name, "linear", f"{name}.weight", bias) for name, bias in biases.items())


def _layer_parameters(
    sizes: SmallMlpSizes, name: str, fan_in: int, fan_out: int, scale: float
) -> tuple[ParameterSpec, ...]:
    is_output = name == "output"
    init = Init("uniform", 1.0 / (scale * math.sqrt(3.0 * fan_in)))
    # The input dimension belongs to the data and does not scale with the model's width.
    multiplier = 1.0 if name == "hidden_1" else fan_in / sizes.base_width
    weight = ParameterSpec(
        name=f"{name}.weight",
        shape=(fan_out, fan_in),
        role=Role.OUTPUT if is_output else Role.HIDDEN_MATRIX,
        fan_in=fan_in,
        fan_out=fan_out,
        init=init,
        width_multiplier=multiplier,
        is_normalised=sizes.is_normalised and not is_output,
    )
    if not sizes.has_bias(name):
        return (weight,)
    bias = ParameterSpec(
        f"{name}.bias", (fan_out,), Role.BIAS, fan_in, fan_out, init, width_multiplier=multiplier
    )
    return weight, bias
