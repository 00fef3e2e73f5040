"""The multi-layer perceptron in JAX; see `model.py` for the definition."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
from jax import Array

from workloads.functional_jax import Call, Forward, Pass, pure
from workloads.mlp.model import MlpSizes, checked
from workloads.spec import Sizes

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "tanh": jax.numpy.tanh,
    "gelu": partial(jax.nn.gelu, approximate=False),
}


def build(sizes: Sizes) -> Forward:
    """The model as a pure function; weights are (out, in), named as in `model.py`."""
    return pure(partial(_forward, checked(sizes)))


def _forward(sizes: MlpSizes, call: Call) -> Pass:
    activation = ACTIVATIONS[sizes.activation]
    values = call.inputs
    for name, _, _ in sizes.widths:
        values = call.linear(name, values)
        if name != "output":
            values = activation(values)
    return call.gives(values)
