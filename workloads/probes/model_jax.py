"""The probes' model in JAX; see `model.py` for the definition."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from workloads.functional_jax import Call, Forward, Pass, pure
from workloads.probes.model import IDLE, ProbeSizes, validate
from workloads.spec import Sizes

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "none": lambda values: values,
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
}


def build(sizes: Sizes) -> Forward:
    """Inputs (batch, inputs) to predictions or logits (batch, outputs), as a pure function."""
    return pure(partial(_forward, validate(sizes)))


def _forward(sizes: ProbeSizes, call: Call) -> Pass:
    activation, values = ACTIVATIONS[sizes.activation], call.inputs
    for layer in sizes.chain:
        values = layer.multiplier * call.linear(layer.name, values)
        values = values if layer.is_last else activation(values)
    if sizes.has_idle_layer:
        values = values + 0.0 * call.linear(IDLE, call.inputs)
    return call.gives(values)
