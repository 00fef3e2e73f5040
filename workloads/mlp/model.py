"""The multi-layer perceptron's parameters and layers, once for every framework.

    h_0 = x,   h_l = act(W_l h_{l-1} + b_l),   logits = W_out h_L + b_out

Weights and biases start as `torch.nn.Linear` does: uniform in +-1/sqrt(fan_in), which is a standard
deviation of 1/sqrt(3 fan_in); `init_scale` multiplies the weights' deviation. Sizes:

    inputs       the width of an example
    hidden       the widths of the hidden layers, at least one
    classes      the number of logits
    activation   relu, tanh or gelu (the exact one, with the error function)
    init_scale   a factor on the weights' initial deviation
    base_width   the hidden width of which `width_multiplier` is a multiple
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.sizes import checked_sizes
from workloads.spec import Count, Frozen, Positive, Sizes


class MlpSizes(Frozen):
    """The checked form of the workload's `sizes`."""

    inputs: Count = 256
    hidden: Annotated[tuple[Count, ...], Field(min_length=1)] = (256, 256)
    classes: Count = 10
    activation: Literal["relu", "tanh", "gelu"] = "relu"
    init_scale: Positive = 1.0
    base_width: Count = 256

    @property
    def widths(self) -> tuple[tuple[str, int, int], ...]:
        """Name, input width and output width of each layer, from the first to the output."""
        widths = (self.inputs, *self.hidden)
        hidden = [
            (f"hidden_{index}", fan_in, fan_out)
            for index, (fan_in, fan_out) in enumerate(zip(widths, self.hidden, strict=False), 1)
        ]
        return (*hidden, ("output", self.hidden[-1], self.classes))


def checked(sizes: Sizes) -> MlpSizes:
    """The sizes as a typed value.

    Raises:
        HarnessError: a key is not known or a value is not allowed.
    """
    return checked_sizes(MlpSizes, sizes, "mlp")


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """Weight (out, in) and bias (out,) of each layer, from the first to the output."""
    chosen = checked(sizes)
    return tuple(
        spec
        for name, fan_in, fan_out in chosen.widths
        for spec in _layer_parameters(chosen, name, fan_in, fan_out)
    )


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """None: nothing is normalised."""
    del sizes
    return ()


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """The linear layers, from the first to the output."""
    return tuple(
        LayerSpec(name=name, kind="linear", weight=f"{name}.weight", bias=f"{name}.bias")
        for name, _, _ in checked(sizes).widths
    )


def _layer_parameters(
    sizes: MlpSizes, name: str, fan_in: int, fan_out: int
) -> tuple[ParameterSpec, ParameterSpec]:
    deviation = 1.0 / math.sqrt(3.0 * fan_in)
    # The data's width is no width of the model: the first layer's input does not scale.
    multiplier = 1.0 if name == "hidden_1" else fan_in / sizes.base_width
    weight = ParameterSpec(
        name=f"{name}.weight",
        shape=(fan_out, fan_in),
        role=Role.OUTPUT if name == "output" else Role.HIDDEN_MATRIX,
        fan_in=fan_in,
        fan_out=fan_out,
        init=Init("uniform", sizes.init_scale * deviation),
        width_multiplier=multiplier,
    )
    bias = ParameterSpec(
        name=f"{name}.bias",
        shape=(fan_out,),
        role=Role.BIAS,
        fan_in=fan_in,
        fan_out=fan_out,
        init=Init("uniform", deviation),
        width_multiplier=multiplier,
    )
    return weight, bias
