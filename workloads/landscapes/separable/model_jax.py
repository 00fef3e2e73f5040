"""Logistic regression in JAX; see `model.py` for the definition."""

from __future__ import annotations

from workloads.functional_jax import Call, Forward, Pass, pure
from workloads.spec import Sizes


def build(sizes: Sizes) -> Forward:
    """Inputs (batch, inputs) to logits (batch, 2)."""
    del sizes
    return pure(_forward)


def _forward(call: Call) -> Pass:
    return call.gives(call.linear("output", call.inputs))
