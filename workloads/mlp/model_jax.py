"""The multi-layer perceptron in JAX; see `model.py` for the definition."""

from __future__ import annotations

from functools import partial

from jax import Array

from workloads.blocks_jax import ACTIVATIONS, normalise
from workloads.functional_jax import Call, Forward, Pass, pure
from workloads.mlp.model import EPSILON, Layer, MlpSizes, validate
from workloads.spec import Sizes


def build(sizes: Sizes) -> Forward:
    """The model as a pure function; weights are (out, in), named as in `model.py`."""
    return pure(partial(_forward, validate(sizes)))


def _forward(sizes: MlpSizes, call: Call) -> Pass:
    values = call.inputs
    for layer in sizes.layers:
        outputs = _apply(sizes, call, layer, values)
        values = values + outputs if layer.is_residual else outputs
    return call.gives(values)


def _apply(sizes: MlpSizes, call: Call, layer: Layer, values: Array) -> Array:
    """One layer with its norm and its activation, without its residual connection."""

    def norm(values: Array) -> Array:
        return normalise(values, call.parameters[f"{layer.norm_name}.weight"], sizes.norm, EPSILON)

    values = call.linear(layer.name, norm(values) if layer.norm == "pre" else values)
    values = norm(values) if layer.norm == "post" else values
    return values if layer.is_output else ACTIVATIONS[sizes.activation](values)
