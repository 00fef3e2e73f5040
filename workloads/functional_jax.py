"""The form of every JAX model of the benchmark: one pure function of a dict of parameters.

    logits, layer_inputs, statistics = forward(parameters, inputs, offsets=, buffers=, key=)

`parameters` maps the names of the workload's `model.py` to arrays in torch's layout, (out, in) for
matrices. Without `buffers` the pass is one of training: batch normalisation uses the batch, whose
mean and unbiased variance come back in `statistics` under the buffers' names, and a model with
dropout draws from `key` (None: no dropout). With `buffers` it is one of evaluation: they are used,
nothing is dropped, `statistics` is empty.

`offsets` maps a layer's name (`LayerSpec.name`) to an array of the shape of that layer's output; it
is added to the output before the activation. With zeros the logits stay the same, and the gradient
of the mean loss in an offset is that layer's output-gradient
(`harness.submission.interface.Capture.output_gradients`). `layer_inputs` maps the same names to
what went into each layer. Layers without an offset are neither shifted nor returned, so a method
pays only for the layers it captures.
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
    """What one forward pass gives."""

    logits: Array
    """(batch, ..., classes)."""
    layer_inputs: dict[str, Array]
    """By the names in `offsets`."""
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
    """One call of a model; what it meets on its way is kept for `Pass`."""

    parameters: Parameters
    inputs: Array
    offsets: LayerArrays
    buffers: Buffers | None
    key: Array | None
    layer_inputs: dict[str, Array] = field(default_factory=dict)
    statistics: dict[str, Array] = field(default_factory=dict)

    def linear(self, name: str, values: Array) -> Array:
        """One linear layer (..., in) -> (..., out), with its bias if it has one."""
        weight = self.parameters[f"{name}.weight"]
        values = values.astype(weight.dtype)
        outputs = values @ weight.T
        if f"{name}.bias" in self.parameters:
            outputs = with_bias(outputs, self.parameters[f"{name}.bias"])
        return self.captured(name, values, outputs)

    def captured(self, name: str, values: Array, outputs: Array) -> Array:
        """A layer's outputs, shifted if it is captured; what went into it is noted then."""
        if name not in self.offsets:
            return outputs
        self.layer_inputs[name] = values
        return outputs + self.offsets[name]

    def gives(self, logits: Array) -> Pass:
        """The end of the call."""
        return Pass(logits, self.layer_inputs, self.statistics)


def pure(model: Callable[[Call], Pass]) -> Forward:
    """A model, written for a whole call, as the function that `build` returns."""

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
    """values (..., width) + bias (width,), in the type of the values.

    The sum is in float32, and so is the bias's gradient: one over all places, of which bfloat16
    would lose the most.
    """
    return (values.astype(jnp.float32) + bias.astype(jnp.float32)).astype(values.dtype)


def looked_up(embedding: Array, tokens: Array) -> Array:
    """Rows of an embedding (classes, width) in float32, that their gradients are summed in that."""
    return embedding.astype(jnp.float32)[tokens]
