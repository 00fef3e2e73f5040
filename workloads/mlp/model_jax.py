"""The multi-layer perceptron in JAX; `model.py` states it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
from jax import Array

from workloads.functional_jax import NO_OFFSETS, Buffers, Forward, LayerArrays, Parameters, Pass
from workloads.mlp.model import MlpSizes, checked
from workloads.spec import Sizes

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "tanh": jax.numpy.tanh,
    "gelu": partial(jax.nn.gelu, approximate=False),
}


def build(sizes: Sizes) -> Forward:
    """The model as a pure function; weights are (out, in), named as in `model.py`."""
    checked_sizes = checked(sizes)

    def forward(
        parameters: Parameters,
        inputs: Array,
        *,
        offsets: LayerArrays = NO_OFFSETS,
        buffers: Buffers | None = None,
        key: Array | None = None,
    ) -> Pass:
        del buffers, key  # training and evaluation are the same
        return _forward(checked_sizes, parameters, inputs, offsets)

    return forward


def _forward(sizes: MlpSizes, parameters: Parameters, inputs: Array, offsets: LayerArrays) -> Pass:
    activation = ACTIVATIONS[sizes.activation]
    layer_inputs: dict[str, Array] = {}
    values = inputs
    for name, _, _ in sizes.widths:
        if name in offsets:
            layer_inputs[name] = values
        values = values @ parameters[f"{name}.weight"].T + parameters[f"{name}.bias"]
        if name in offsets:
            values = values + offsets[name]
        if name != "output":
            values = activation(values)
    return Pass(values, layer_inputs, {})
