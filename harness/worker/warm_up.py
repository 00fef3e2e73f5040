"""Random parameters and examples for the warm-up, unrelated to the trial's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.frameworks.examples import Examples, ModelSource
from harness.frameworks.model_source import buffers_of, specs_of
from harness.protocol.messages import Hello
from workloads.losses import LOSSES

WARM_UP_STEPS = 3
WARM_UP_BATCHES = 4


def random_parameters(source: ModelSource) -> dict[str, npt.NDArray[np.float32]]:
    """Small random parameters, and buffers of ones."""
    random = np.random.default_rng(0)
    weights = {
        name: (0.05 * random.standard_normal(spec.shape)).astype(np.float32)
        for name, spec in specs_of(source).items()
    }
    return weights | {n: np.ones(b.shape, np.float32) for n, b in buffers_of(source).items()}


def random_examples(trial: Hello) -> Examples:
    """A few batches of random inputs and targets, shaped and typed as the trial's.

    Integers (classes, tokens or pixels) are below the number of classes, or 0 and 1 if the loss has
    no classes. Reals are standard normal.
    """
    random = np.random.default_rng(1)
    below = trial.sizes.get("classes", 2)
    count = WARM_UP_BATCHES * trial.batch_size
    shape = (count, *trial.input_shape)
    if np.issubdtype(np.dtype(trial.input_dtype), np.integer):
        inputs = random.integers(below, size=shape).astype(trial.input_dtype)
    else:
        inputs = random.standard_normal(shape).astype(trial.input_dtype)
    shape = (count, *trial.target_shape)
    if LOSSES[trial.loss].targets == "classes":
        return Examples(inputs, random.integers(below, size=shape))
    return Examples(inputs, random.standard_normal(shape, dtype=np.float32))
