"""The residual network in JAX; `model.py` states it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jax import Array, lax

from workloads.functional_jax import (
    NO_OFFSETS,
    Buffers,
    Forward,
    LayerArrays,
    Parameters,
    Pass,
    with_bias,
)
from workloads.resnet.model import Block, ResnetSizes, Unit, blocks_of, checked, stem_of
from workloads.spec import Sizes

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": jax.nn.relu, "silu": jax.nn.silu}
EPSILON = 1e-5


def build(sizes: Sizes) -> Forward:
    """The model as a pure function; kernels are (out, in, height, width), as in `model.py`."""
    network = checked(sizes)

    def forward(
        parameters: Parameters,
        inputs: Array,
        *,
        offsets: LayerArrays = NO_OFFSETS,
        buffers: Buffers | None = None,
        key: Array | None = None,
    ) -> Pass:
        del key  # nothing is dropped
        return _Run(network, parameters, offsets, buffers).forward(inputs)

    return forward


@dataclass(frozen=True)
class _Run:
    """One pass, channels last inside; what it meets on its way is kept for `Pass`."""

    sizes: ResnetSizes
    parameters: Parameters
    offsets: LayerArrays
    buffers: Buffers | None
    layer_inputs: dict[str, Array] = field(default_factory=dict)
    statistics: dict[str, Array] = field(default_factory=dict)

    def forward(self, images: Array) -> Pass:
        """Images (batch, channels, height, width) to logits (batch, classes)."""
        activation = ACTIVATIONS[self.sizes.activation]
        weight = self.parameters["output.weight"]
        values = (_channels_last(images).astype(weight.dtype) - 127.5) / 63.75
        values = activation(self.unit(stem_of(self.sizes), values))
        if self.sizes.stem == 7:
            values = _max_pool(values)
        for block in blocks_of(self.sizes):
            values = self.block(block, values, activation)
        features = values.mean(axis=(1, 2))
        logits = with_bias(features @ weight.T, self.parameters["output.bias"])
        if "output" in self.offsets:
            self.layer_inputs["output"] = features
            logits = logits + self.offsets["output"]
        return Pass(logits, self.layer_inputs, self.statistics)

    def block(self, block: Block, values: Array, activation: Callable[[Array], Array]) -> Array:
        """act(F(h) + S(h))."""
        branch = values
        for unit in block.units[:-1]:
            branch = activation(self.unit(unit, branch))
        branch = self.unit(block.units[-1], branch)
        straight = values if block.shortcut is None else self.unit(block.shortcut, values)
        return activation(branch + straight)

    def unit(self, unit: Unit, values: Array) -> Array:
        """A convolution and its norm; tapped, its inputs and offsets have the channels first."""
        name, around = unit.convolution, (unit.padding, unit.padding)
        if name in self.offsets:
            self.layer_inputs[name] = _channels_first(values)
        values = lax.conv_general_dilated(
            values,
            self.parameters[f"{name}.weight"],
            (unit.stride, unit.stride),
            (around, around),
            dimension_numbers=("NHWC", "OIHW", "NHWC"),
        )
        if name in self.offsets:
            values = _channels_last(_channels_first(values) + self.offsets[name])
        if self.sizes.normalisation == "group":
            standard = _standardised_groups(values, self.sizes.groups)
            return self._scaled(unit, standard).astype(values.dtype)
        return self._batch_norm(unit, values)

    def _batch_norm(self, unit: Unit, values: Array) -> Array:
        names = (f"{unit.norm}.running_mean", f"{unit.norm}.running_var")
        if self.buffers is None:
            mean, variance, unbiased = _moments(values)
            self.statistics.update(zip(names, (mean, unbiased), strict=True))
        else:
            mean, variance = (self.buffers[name] for name in names)
        scale = lax.rsqrt(variance + EPSILON) * self.parameters[f"{unit.norm}.weight"]
        shift = self.parameters[f"{unit.norm}.bias"] - mean * scale
        return (values * scale + shift).astype(values.dtype)

    def _scaled(self, unit: Unit, values: Array) -> Array:
        """Float32 in and out: gradients of gain and bias are sums over all places."""
        names = (f"{unit.norm}.weight", f"{unit.norm}.bias")
        gain, bias = (self.parameters[name].astype(jnp.float32) for name in names)
        return values * gain + bias


def _moments(values: Array) -> tuple[Array, Array, Array]:
    """Mean, biased and unbiased variance of each channel in float32, each (channels,)."""
    wide = values.astype(jnp.float32)
    count = values.size // values.shape[-1]
    mean = wide.mean(axis=(0, 1, 2))
    variance = jnp.square(wide - mean).mean(axis=(0, 1, 2))
    return mean, variance, variance * (count / max(count - 1, 1))


def _standardised_groups(values: Array, groups: int) -> Array:
    """Each image's groups of neighbouring channels at mean 0 and variance 1, in float32."""
    batch, height, width, channels = values.shape
    wide = values.astype(jnp.float32).reshape(batch, height, width, groups, channels // groups)
    centred = wide - wide.mean(axis=(1, 2, 4), keepdims=True)
    variance = jnp.square(centred).mean(axis=(1, 2, 4), keepdims=True)
    standard: Array = centred * lax.rsqrt(variance + EPSILON)
    return standard.reshape(values.shape)


def _max_pool(values: Array) -> Array:
    """The largest of each 3x3 window, every other one, as the 7x7 stem wants it."""
    around = ((0, 0), (1, 1), (1, 1), (0, 0))
    window, strides = (1, 3, 3, 1), (1, 2, 2, 1)
    largest: Array = lax.reduce_window(values, -jnp.inf, lax.max, window, strides, around)
    return largest


def _channels_last(images: Array) -> Array:
    return images.transpose(0, 2, 3, 1)


def _channels_first(images: Array) -> Array:
    return images.transpose(0, 3, 1, 2)
