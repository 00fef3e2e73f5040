"""The small perceptron in JAX; see `model.py` for the definition."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from workloads.functional_jax import Call, Forward, Pass, pure
from workloads.landscapes.small_mlp.model import EPSILON, SmallMlpSizes, validate
from workloads.spec import Sizes


def build(sizes: Sizes) -> Forward:
    """The model as a pure function: inputs (batch, inputs) to logits (batch, classes)."""
    return pure(partial(_forward, validate(sizes)))


def _forward(sizes: SmallMlpSizes, call: Call) -> Pass:
    values = call.inputs
    for name, _, _, scale in sizes.layers:
        values = scale * call.linear(name, values)
        if name != "output":
            if sizes.is_normalised:
                mean = jnp.square(values).mean(axis=-1, keepdims=True)
                values = values * jax.lax.rsqrt(mean + EPSILON)
            values = jax.nn.relu(values) if sizes.activation == "relu" else jnp.tanh(values)
    return call.gives(values)
