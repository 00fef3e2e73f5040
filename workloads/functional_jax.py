"""The interface of the benchmark's JAX models: one pure function of a dict of parameters.

    logits, layer_inputs, statistics = forward(parameters, inputs, offsets=, buffers=, key=)

`parameters` maps the names of the workload's `model.py` to arrays in torch's layout, (out, in) for
matrices. Without `buffers` the pass is in training mode: batch normalisation uses the batch, whose
mean and unbiased variance are returned in `statistics` under the buffers' names, and a model with
dropout draws from `key` (None: no dropout). With `buffers` it is in evaluation mode: they are used,
there is no dropout, and `statistics` is empty.

`offsets` maps a layer's name (`LayerSpec.name`) to an array shaped as that layer's output, which is
added to the output before the activation. Zeros leave the logits unchanged, and the gradient of the
mean loss with respect to an offset is that layer's output gradient
(`harness.submission.interface.Capture.output_gradients`). `layer_inputs` maps the same names to the
layers' inputs. Layers without an offset are neither shifted nor returned, so a method pays only for
the layers it captures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, Protocol, TypeAlias

import jax.numpy as jnp
from jax import Array

Parameters: TypeAlias = Mapping[str, Array]
Buffers: TypeAlias = Mapping[str, Array]
LayerArrays: TypeAlias = Mapping[str, Array]
NO_OFFSETS: LayerArrays = MappingProxyType({})


class Pass(NamedTuple):
    """The results of one forward pass."""

    logits: Array
    """(batch, ..., classes)."""
    layer_inputs: dict[str, Array]
    """Layer inputs, by the names in `offsets`."""
    statistics: dict[str, Array]
    """The batch's mean and unbiased variance by the buffers' names; empty in evaluation."""


class Forward(Protocol):
    """What `model_jax.build(sizes)` returns: a pure function that can be compiled."""

    def __call__(
        self,
        parameters: Parameters,
        inputs: Array,
        *,
        offsets: LayerArrays = NO_OFFSETS,
        buffers: Buffers | None = None,
        key: Array | None = None,
    ) -> Pass:
        """Pass inputs (batch, ...) through the model."""
        ...


@dataclass(frozen=True)
class Call:
    """One call of a model; collects layer inputs and statistics for `Pass`."""

    parameters: Parameters
    inputs: Array
    offsets: LayerArrays
    buffers: Buffers | None
    key: Array | None
    layer_inputs: dict[str, Array] = field(default_factory=dict)
    statistics: dict[str, Array] = field(default_factory=dict)

    def linear(self, name: str, values: Array) -> Array:
        """Apply a linear layer (..., in) -> (..., out), with its bias if it has one."""
        weight = self.parameters[f"{name}.weight"]
        values = values.astype(weight.dtype)
        outputs = values @ weight.T
        if f"{name}.bias" in self.parameters:
            outputs = with_bias(outputs, self.parameters[f"{name}.bias"])
        return self.capture(name, values, outputs)

    def capture(self, name: str, values: Array, outputs: Array) -> Array:
        """A layer's outputs; if it is captured, record its inputs and add its offset."""
        if name not in self.offsets:
            return outputs
        self.layer_inputs[name] = values
        return outputs + self.offsets[name]

    def gives(self, logits: Array) -> Pass:
        """Assemble the results of the call."""
        return Pass(logits, self.layer_inputs, self.statistics)


def pure(model: Callable[[Call], Pass]) -> Forward:
    """Wrap a model written for a `Call` as the function returned by `build`."""

    def forward(
        parameters: Parameters,
        inputs: Array,
        *,
        offsets: LayerArrays = NO_OFFSETS,
        buffers: Buffers | None = None,
        key: Array | None = None,
    ) -> Pass:
        return model(Call(parameters, inputs, offsets, buffers, key))

    return forward


def with_bias(values: Array, bias: Array) -> Array:
    """values (..., width) + bias (width,), in the dtype of `values`.

    The sum is computed in float32, and so is the bias gradient, a sum over all locations in which
    bfloat16 would lose most of the terms.
    """
    return (values.astype(jnp.float32) + bias.astype(jnp.float32)).astype(values.dtype)


def look_up(embedding: Array, tokens: Array) -> Array:
    """Rows of an embedding (classes, width), in float32 so that their gradients sum in float32."""
    return embedding.astype(jnp.float32)[tokens]
