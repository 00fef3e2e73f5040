"""The residual network in JAX; see `model.py` for the definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array, lax

from workloads.blocks_jax import ACTIVATIONS
from workloads.functional_jax import Call, Forward, Pass, pure
from workloads.resnet.model import Block, ResnetSizes, Unit, blocks_of, stem_of, validate
from workloads.spec import Sizes

EPSILON = 1e-5


def build(sizes: Sizes) -> Forward:
    """The model as a pure function; kernels are (out, in, height, width), as in `model.py`."""
    network = validate(sizes)
    return pure(lambda call: _Run(network, call).forward(call.inputs))


@dataclass(frozen=True)
class _Run:
    """One forward pass, in channels-last layout internally."""

    sizes: ResnetSizes
    call: Call

    def forward(self, images: Array) -> Pass:
        """Map images (batch, channels, height, width) to logits (batch, classes)."""
        activation = ACTIVATIONS[self.sizes.activation]
        dtype = self.call.parameters["output.weight"].dtype
        values = (_channels_last(images).astype(dtype) - 127.5) / 63.75
        values = activation(self.unit(stem_of(self.sizes), values))
        if self.sizes.stem == 7:
            values = _max_pool(values)
        for block in blocks_of(self.sizes):
            values = self.block(block, values, activation)
        return self.call.gives(self.call.linear("output", values.mean(axis=(1, 2))))

    def block(self, block: Block, values: Array, activation: Callable[[Array], Array]) -> Array:
        """act(F(h) + S(h)), or act(F(h)) without a residual connection."""
        branch = values
        for unit in block.units[:-1]:
            branch = activation(self.unit(unit, branch))
        branch = self.unit(block.units[-1], branch)
        if not self.sizes.residual:
            return activation(branch)
        straight = values if block.shortcut is None else self.unit(block.shortcut, values)
        return activation(branch + straight)

    def unit(self, unit: Unit, values: Array) -> Array:
        """Apply a convolution and its norm; captured inputs and offsets are channels-first."""
        name, around, entering = unit.convolution, (unit.padding, unit.padding), values
        values = lax.conv_general_dilated(
            values,
            self.call.parameters[f"{name}.weight"],
            (unit.stride, unit.stride),
            (around, around),
            dimension_numbers=("NHWC", "OIHW", "NHWC"),
        )
        if name in self.call.offsets:
            first = _channels_first(entering), _channels_first(values)
            values = _channels_last(self.call.capture(name, *first))
        if self.sizes.normalisation == "group":
            standard = _standardised_groups(values, self.sizes.groups)
            return self._scale_and_shift(unit, standard).astype(values.dtype)
        return self._batch_norm(unit, values)

    def _batch_norm(self, unit: Unit, values: Array) -> Array:
        names = (f"{unit.norm}.running_mean", f"{unit.norm}.running_var")
        if self.call.buffers is None:
            mean, variance, unbiased_variance = _moments(values)
            self.call.statistics.update(zip(names, (mean, unbiased_variance), strict=True))
        else:
            mean, variance = (self.call.buffers[name] for name in names)
        scale = lax.rsqrt(variance + EPSILON) * self.call.parameters[f"{unit.norm}.weight"]
        shift = self.call.parameters[f"{unit.norm}.bias"] - mean * scale
        return (values * scale + shift).astype(values.dtype)

    def _scale_and_shift(self, unit: Unit, values: Array) -> Array:
        """Scale and shift in float32, as gradients of gain and bias sum over all locations."""
        names = (f"{unit.norm}.weight", f"{unit.norm}.bias")
        gain, bias = (self.call.parameters[name].astype(jnp.float32) for name in names)
        return values * gain + bias


def _moments(values: Array) -> tuple[Array, Array, Array]:
    """Mean, biased and unbiased variance of each channel in float32, each (channels,)."""
    wide = values.astype(jnp.float32)
    count = values.size // values.shape[-1]
    mean = wide.mean(axis=(0, 1, 2))
    variance = jnp.square(wide - mean).mean(axis=(0, 1, 2))
    return mean, variance, variance * (count / max(count - 1, 1))


def _standardised_groups(values: Array, groups: int) -> Array:
    """Normalise each image's groups of adjacent channels to mean 0 and variance 1, in float32."""
    batch, height, width, channels = values.shape
    wide = values.astype(jnp.float32).reshape(batch, height, width, groups, channels // groups)
    centred_values = wide - wide.mean(axis=(1, 2, 4), keepdims=True)
    variance = jnp.square(centred_values).mean(axis=(1, 2, 4), keepdims=True)
    standard: Array = centred_values * lax.rsqrt(variance + EPSILON)
    return standard.reshape(values.shape)


def _max_pool(values: Array) -> Array:
    """3x3 max pooling with stride 2, used after the 7x7 stem."""
    around = ((0, 0), (1, 1), (1, 1), (0, 0))
    window, strides = (1, 3, 3, 1), (1, 2, 2, 1)
    largest: Array = lax.reduce_window(values, -jnp.inf, lax.max, window, strides, around)
    return largest


def _channels_last(images: Array) -> Array:
    return images.transpose(0, 2, 3, 1)


def _channels_first(images: Array) -> Array:
    return images.transpose(0, 3, 1, 2)
