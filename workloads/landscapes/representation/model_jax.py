"""Linear representation learning in JAX; see `model.py` for the definition."""

from __future__ import annotations

from functools import partial

import numpy as np
from jax import Array, lax

from workloads.functional_jax import Call, Forward, Pass, pure
from workloads.landscapes.representation.model import RepresentationSizes, truth_of, validate
from workloads.spec import Sizes

EPSILON = 1e-5


def build(sizes: Sizes) -> Forward:
    """Draws (batch, inputs + outputs) to prediction errors (batch, outputs)."""
    return pure(partial(_forward, validate(sizes)))


def _forward(sizes: RepresentationSizes, call: Call) -> Pass:
    truth = truth_of(sizes)
    teacher = (truth.head @ truth.features).astype(np.float32)
    draws, noise = call.inputs[:, : sizes.inputs], call.inputs[:, sizes.inputs :]
    examples = draws @ truth.mixing.astype(np.float32).T
    targets = examples @ teacher.T + sizes.noise * noise
    features = call.linear("hidden", examples)
    if sizes.has_batch_norm:
        features = _batch_norm(call, features)
    return call.gives(call.linear("output", features) - targets)


def _batch_norm(call: Call, features: Array) -> Array:
    """Normalise features (batch, rank), as `workloads.modules_torch.BatchNorm2d` does."""
    if call.buffers is None:
        mean, variance = features.mean(axis=0), features.var(axis=0)
        unbiased = features.var(axis=0, ddof=1)
        call.statistics.update({"norm.running_mean": mean, "norm.running_var": unbiased})
    else:
        mean, variance = (call.buffers[f"norm.running_{name}"] for name in ("mean", "var"))
    standard = (features - mean) * lax.rsqrt(variance + EPSILON)
    result: Array = standard * call.parameters["norm.weight"] + call.parameters["norm.bias"]
    return result
