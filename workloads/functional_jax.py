"""The form of every JAX model of the benchmark: two pure functions of a dict of parameters.

    logits                 = apply(parameters, inputs)
    logits, layer_inputs   = apply_tapped(parameters, inputs, offsets)

`parameters` maps the names of the workload's `model.py` to arrays in torch's layout, (out, in) for
matrices. `offsets` maps a layer's name (`LayerSpec.name`) to an array of the shape of that layer's
output, (batch, ..., out); it is added to the output before the activation. With zeros the logits
are those of `apply`, and the gradient of the mean loss in an offset is that layer's
output-gradient (`harness.interface.Tap.output_gradients`). `layer_inputs` maps the same names to
what went into each layer, (batch, ..., in). Layers without an offset are neither shifted nor
returned, so a method pays only for the layers it taps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from jax import Array

Parameters: TypeAlias = Mapping[str, Array]
LayerArrays: TypeAlias = Mapping[str, Array]


class Model(NamedTuple):
    """What `model_jax.build(sizes)` returns; both functions are pure and can be compiled."""

    apply: Callable[[Parameters, Array], Array]
    """(parameters, inputs (batch, ...)) -> logits (batch, ..., classes)."""
    apply_tapped: Callable[[Parameters, Array, LayerArrays], tuple[Array, dict[str, Array]]]
    """(parameters, inputs, offsets) -> (logits, layer inputs by the names in `offsets`)."""
