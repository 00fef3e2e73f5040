"""Linear representation learning in JAX; see `model.py` for the definition."""

from __future__ import annotations

from functools import partial

import numpy as np

from workloads.functional_jax import Call, Forward, Pass, pure
from workloads.landscapes.representation.model import RepresentationSizes, truth_of, validate
from workloads.spec import Sizes


def build(sizes: Sizes) -> Forward:
    """Draws (batch, inputs + outputs) to prediction errors (batch, outputs)."""
    return pure(partial(_forward, validate(sizes)))


def _forward(sizes: RepresentationSizes, call: Call) -> Pass:
    truth = truth_of(sizes)
    teacher = (truth.head @ truth.features).astype(np.float32)
    draws, noise = call.inputs[:, : sizes.inputs], call.inputs[:, sizes.inputs :]
    examples = draws @ truth.mixing.astype(np.float32).T
    targets = examples @ teacher.T + sizes.noise * noise
    predictions = call.linear("output", call.linear("hidden", examples))
    return call.gives(predictions - targets)
