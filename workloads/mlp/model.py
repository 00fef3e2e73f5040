"""The multi-layer perceptron's parameters and layers, shared by all frameworks.

    h_0 = x,   h_l = act(W_l h_{l-1} + b_l),   logits = W_out h_L + b_out

Weights and biases are initialised as in `torch.nn.Linear`: uniform in +-1/sqrt(fan_in), a standard
deviation of 1/sqrt(3 fan_in); `init_scale` multiplies that of the weights. Sizes:

    inputs       the width of an example
    hidden       the widths of the hidden layers, at least one
    classes      the number of logits
    activation   relu, tanh or gelu (exact, with the error function)
    init_scale   a factor on the weights' initial standard deviation
    base_width   the hidden width at which `width_multiplier` is 1
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.sizes import checked_sizes
from workloads.spec import Count, Frozen, Positive, Sizes


class MlpSizes(Frozen):
    """The workload's validated `sizes`."""

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
        HarnessError: a key is unknown or a value is not allowed.
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
    """Empty: the model has no normalisation."""
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
    # The input dimension belongs to the data and does not scale with the model's width.
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
