"""Linear representation learning in JAX; see `model.py` for the definition."""

from __future__ import annotations

from functools import partial

import numpy as np

from workloads.functional_jax import Call, Forward, Pass, pure
from workloads.landscapes.representation.model import RepresentationSizes, checked, truth_of
from workloads.spec import Sizes


def build(sizes: Sizes) -> Forward:
    """Draws (batch, inputs + outputs) to prediction errors (batch, outputs)."""
    return pure(partial(_forward, checked(sizes)))


def _forward(sizes: RepresentationSizes, call: Call) -> Pass:
    truth = truth_of(sizes)
    teacher = (truth.head @ truth.features).astype(np.float32)
    draws, noise = call.inputs[:, : sizes.inputs], call.inputs[:, sizes.inputs :]
    observed = draws @ truth.mixing.astype(np.float32).T
    targets = observed @ teacher.T + sizes.noise * noise
    predicted = call.linear("output", call.linear("hidden", observed))
    return call.gives(predicted - targets)
