"""The linear map in JAX."""

from __future__ import annotations

from workloads.functional_jax import Call, Forward, Pass, pure
from workloads.spec import Sizes


def build(sizes: Sizes) -> Forward:
    """Inputs (batch, inputs) to predictions (batch, outputs)."""
    return pure(_forward)


def _forward(call: Call) -> Pass:
    return call.gives(call.linear("line", call.inputs))
