"""The multi-layer perceptron in JAX; `model.py` states it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
from jax import Array

from workloads.functional_jax import LayerArrays, Model, Parameters
from workloads.mlp.model import MlpSizes, checked
from workloads.spec import Sizes

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "tanh": jax.numpy.tanh,
    "gelu": partial(jax.nn.gelu, approximate=False),
}


def build(sizes: Sizes) -> Model:
    """The model as pure functions; weights are (out, in), named as in `model.py`."""
    checked_sizes = checked(sizes)

    def apply(parameters: Parameters, inputs: Array) -> Array:
        return _forward(checked_sizes, parameters, inputs, {})[0]

    def apply_tapped(
        parameters: Parameters, inputs: Array, offsets: LayerArrays
    ) -> tuple[Array, dict[str, Array]]:
        return _forward(checked_sizes, parameters, inputs, offsets)

    return Model(apply, apply_tapped)


def _forward(
    sizes: MlpSizes, parameters: Parameters, inputs: Array, offsets: LayerArrays
) -> tuple[Array, dict[str, Array]]:
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
    return values, layer_inputs
