"""The probes' model: a chain of linear layers, with settings that make it hard to train.

    h_0 = x,   h_i = f(m_i (W_i h_{i-1} + b_i)),   z = m_n W_n h_{n-1}

W_i starts as N(0, (gain_i / m_i)^2 / fan_in), so the multipliers m_i do not change the initial
function, only the distance that each weight has to move and the size of its gradient. Sizes:

    inputs          the length of x
    hidden          the widths of the hidden layers, from the first on; none: z is linear in x
    outputs         the length of z under squared error
    classes         the same under cross-entropy
    activation      f
    gains           gain_i, one for each layer, or one for all
    multipliers     m_i, likewise
    bias            the initial hidden biases; none if it is left out
    is_tied         whether the hidden layers after the first have one weight, as unrolled in time
    has_idle_layer  whether another weight from x to z is multiplied by 0: its gradient is always 0
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from workloads.parameters import BufferSpec, Init, LayerSpec, ParameterSpec, Role
from workloads.sizes import validate_sizes
from workloads.spec import Count, Frozen, Positive, Sizes

IDLE = "idle"
PerLayer = Annotated[tuple[Positive, ...], Field(min_length=1)]


class Layer(NamedTuple):
    """One layer of the chain; tied ones share a name."""

    name: str
    fan_in: int
    fan_out: int
    gain: float
    multiplier: float
    is_last: bool


class ProbeSizes(Frozen):
    """The validated `sizes` of a probe."""

    inputs: Count
    hidden: tuple[Count, ...] = ()
    outputs: Count | None = None
    classes: Count | None = None
    activation: Literal["none", "tanh", "relu"] = "none"
    gains: PerLayer = (1.0,)
    multipliers: PerLayer = (1.0,)
    bias: float | None = None
    is_tied: bool = False
    has_idle_layer: bool = False

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        if (self.outputs is None) == (self.classes is None):
            raise ValueError("give 'outputs' or 'classes', and not both")
        count = len(self.hidden) + 1
        for name, values in (("gains", self.gains), ("multipliers", self.multipliers)):
            if len(values) not in (1, count):
                raise ValueError(
                    f"'{name}' has {len(values)} values; allowed: one for all layers, or one for "
                    f"each (there are {count})"
                )
        if self.is_tied and len(set(self.hidden)) != 1:
            raise ValueError(f"'is_tied' needs equal hidden widths, not {self.hidden}")
        return self

    @property
    def width_out(self) -> int:
        """The length of z."""
        return self.outputs or self.classes or 0

    @property
    def chain(self) -> tuple[Layer, ...]:
        """All layers in the order in which they are applied."""
        widths = (self.inputs, *self.hidden, self.width_out)
        count = len(widths) - 1
        gains, multipliers = (
            values if len(values) == count else values * count
            for values in (self.gains, self.multipliers)
        )
        return tuple(
            Layer(self._name(at), *pair, gains[at], multipliers[at], at == count - 1)
            for at, pair in enumerate(pairwise(widths))
        )

    @property
    def distinct(self) -> tuple[Layer, ...]:
        """The layers that have weights of their own, and the idle one."""
        layers = {layer.name: layer for layer in self.chain}
        if self.has_idle_layer:
            layers[IDLE] = Layer(IDLE, self.inputs, self.width_out, 1.0, 1.0, True)
        return tuple(layers.values())

    def has_bias(self, layer: Layer) -> bool:
        """Whether a layer has a bias."""
        return self.bias is not None and not layer.is_last

    def _name(self, at: int) -> str:
        if at == len(self.hidden):
            return "output"
        return f"hidden_{min(at, 1) + 1}" if self.is_tied else f"hidden_{at + 1}"


def validate(sizes: Sizes) -> ProbeSizes:
    """The sizes as a typed value.

    Raises:
        HarnessError: a key is unknown, or a value is not allowed.
    """
    return validate_sizes(ProbeSizes, sizes, "probes")


def parameters(sizes: Sizes) -> tuple[ParameterSpec, ...]:
    """Weight (out, in) and, if there is one, bias (out,) of each layer, the idle one last."""
    probe = validate(sizes)
    return tuple(spec for layer in probe.distinct for spec in _parameters(probe, layer))


def buffers(sizes: Sizes) -> tuple[BufferSpec, ...]:
    """None."""
    del sizes
    return ()


def layers(sizes: Sizes) -> tuple[LayerSpec, ...]:
    """The layers that are applied once; a tied one, with several inputs, is left out."""
    probe = validate(sizes)
    names = [layer.name for layer in probe.chain]
    return tuple(
        LayerSpec(
            layer.name,
            "linear",
            f"{layer.name}.weight",
            f"{layer.name}.bias" if probe.has_bias(layer) else None,
        )
        for layer in probe.distinct
        if names.count(layer.name) <= 1
    )


def _parameters(sizes: ProbeSizes, layer: Layer) -> list[ParameterSpec]:
    deviation = layer.gain / layer.multiplier / math.sqrt(layer.fan_in)
    # A single matrix is a hidden one, so that matrix methods treat it as one.
    is_output = layer.name == "output" and (bool(sizes.hidden) or sizes.classes is not None)
    role = Role.OUTPUT if is_output else Role.HIDDEN_MATRIX
    shape, fans = (layer.fan_out, layer.fan_in), (layer.fan_in, layer.fan_out)
    specs = [ParameterSpec(f"{layer.name}.weight", shape, role, *fans, Init("normal", deviation))]
    if sizes.bias is not None and sizes.has_bias(layer):
        start = Init("constant", sizes.bias)
        specs.append(ParameterSpec(f"{layer.name}.bias", (layer.fan_out,), Role.BIAS, *fans, start))
    return specs
