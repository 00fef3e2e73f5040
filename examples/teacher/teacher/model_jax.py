"""The network in JAX; see `model.py`. Leave this file out if it is for PyTorch alone."""

from __future__ import annotations

import jax.numpy as jnp

from workloads.functional_jax import Call, Forward, Pass, pure
from workloads.spec import Sizes


def build(sizes: Sizes) -> Forward:
    """Inputs (batch, inputs) to predictions (batch, outputs)."""
    return pure(_forward)


def _forward(call: Call) -> Pass:
    hidden = jnp.tanh(call.linear("hidden", call.inputs))
    return call.gives(call.linear("output", hidden))
