"""Helpers of a pass through a jax model: casts to its precision, and zeros for captures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array

from harness.core.errors import HarnessError
from workloads.functional_jax import Forward
from workloads.parameters import LayerSpec, ParameterSpec

Tree = TypeVar("Tree")


def in_precision(dtype: jnp.dtype) -> Callable[[Tree], Tree]:
    """A function that casts a tree's floating-point arrays; integers, such as tokens, stay as they
    are.
    """

    def cast(value: Array) -> Array:
        return value.astype(dtype) if jnp.issubdtype(value.dtype, jnp.floating) else value

    def cast_tree(tree: Tree) -> Tree:
        if dtype == jnp.float32:
            return tree
        result: Tree = jax.tree.map(cast, tree)
        return result

    return cast_tree


def zero_offsets(
    model: Forward,
    layers: Sequence[LayerSpec],
    specs: Mapping[str, ParameterSpec],
    parameters: Mapping[str, Array],
    inputs: Array,
) -> dict[str, Array]:
    """Zeros in the shapes of the layers' outputs.

    Raises:
        HarnessError: the output shape of a layer of this kind is not known.
    """
    scalars = {layer.name: jnp.zeros(()) for layer in layers}
    layer_inputs = jax.eval_shape(
        lambda p, x, o: model(p, x, offsets=o).layer_inputs, parameters, inputs, scalars
    )
    offsets = {}
    for layer in layers:
        weight, shape = specs[layer.weight].shape, layer_inputs[layer.name].shape
        offsets[layer.name] = jnp.zeros(_output_shape(layer, weight, shape))
    return offsets


def _output_shape(
    layer: LayerSpec, weight: tuple[int, ...], input_shape: tuple[int, ...]
) -> tuple[int, ...]:
    """The shape of a layer's output, from the shapes of its weight and input."""
    if layer.kind == "convolution":
        batch, _, *sides = input_shape
        pairs = zip(sides, weight[2:], strict=True)
        output_sides = [
            (side + 2 * layer.padding - kernel) // layer.stride + 1 for side, kernel in pairs
        ]
        return (batch, weight[0], *output_sides)
    if layer.kind in ("linear", "recurrent"):
        return (*input_shape[:-1], weight[0])
    raise HarnessError(
        f"layer '{layer.name}' of kind {layer.kind} cannot be captured in jax",
        "convolution, linear and recurrent layers can",
    )
