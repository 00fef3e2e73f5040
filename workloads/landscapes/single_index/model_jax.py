"""The single-index model's student in JAX; see `model.py` for the definition."""

from __future__ import annotations

from functools import partial

import jax
import numpy as np

from workloads.functional_jax import Call, Forward, Pass, pure
from workloads.landscapes.single_index.model import SingleIndexSizes, truth_of, validate
from workloads.spec import Sizes


def build(sizes: Sizes) -> Forward:
    """Draws (batch, inputs + 1) to prediction errors (batch, 1)."""
    return pure(partial(_forward, validate(sizes)))


def _forward(sizes: SingleIndexSizes, call: Call) -> Pass:
    truth = truth_of(sizes)
    draws, noise = call.inputs[:, : sizes.inputs], call.inputs[:, sizes.inputs :]
    targets = jax.nn.relu(draws @ truth.index[:, None].astype(np.float32)) + sizes.noise * noise
    hidden = call.linear("hidden", draws @ truth.mixing.astype(np.float32).T)
    return call.gives(call.linear("output", jax.nn.relu(hidden)) - targets)
