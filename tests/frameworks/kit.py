"""A small perceptron and its examples, with what a framework makes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.seeds import philox
from harness.frameworks.base import ALONE, Place, TrainingBackend
from harness.frameworks.examples import Examples, ModelSource
from harness.frameworks.load import training_backend
from harness.frameworks.order import Order
from harness.frameworks.problem import ProblemConfig
from harness.submission.interface import Batch
from workloads.mlp import model
from workloads.parameters import initial_parameters
from workloads.spec import Sizes

SEED = "0123456789abcdef" * 2
SIZES: Sizes = {"inputs": 6, "hidden": [8, 7], "classes": 4, "activation": "tanh"}
SOURCE = ModelSource("workloads.mlp", SIZES, "cross_entropy", "float32")
EXAMPLES = 200


class HalfSpent:
    """A budget of which the half is spent."""

    fraction = 0.5

    def progress(self, horizon: float) -> float:
        return min(1.0, self.fraction / horizon)


def examples(count: int = EXAMPLES) -> Examples:
    random = np.random.default_rng(3)
    inputs = random.standard_normal((count, SIZES["inputs"])).astype(np.float32)
    targets = (inputs @ random.standard_normal((SIZES["inputs"], SIZES["classes"]))).argmax(1)
    return Examples(inputs, targets)


def parameters() -> dict[str, np.ndarray]:
    return initial_parameters(model.parameters(SIZES), philox(SEED, "weights"))


@dataclass(frozen=True)
class Kit:
    """One framework's training backend and a loaded problem."""

    framework: str
    source: ModelSource = SOURCE
    place: Place = ALONE

    @cached_property
    def backend(self) -> TrainingBackend[Any]:
        backend = training_backend(self.framework, "cpu", 1, self.place)
        backend.pin()
        return backend

    @cached_property
    def problem(self) -> Any:
        problem = self.backend.problem(
            ProblemConfig(self.source, HalfSpent(), 32, EXAMPLES, 2**40 + 5)
        )
        self.backend.load(problem, parameters())
        return problem

    def with_precision(self, precision: str) -> Kit:
        return Kit(self.framework, replace(self.source, precision=precision))

    def stream(self, batch_size: int = 32) -> Any:
        return self.backend.stream(examples(), Order(SEED, EXAMPLES), batch_size)

    def batch(self, count: int = 32) -> Batch[Any]:
        batch: Batch[Any] = self.stream(count).next()
        return batch

    def submission(self, location: str | Path, **point: object) -> Any:
        """A submission, set up."""
        submission = self.backend.submission(str(location), point)
        submission.setup(self.problem, point)
        return submission

    def train(self, location: str | Path, steps: int, **point: object) -> Any:
        """A submission after some steps; it must have lowered the loss."""
        submission = self.submission(location, **point)
        stream = self.stream()
        losses = [float(submission.step(stream)) for _ in range(steps)]
        assert losses[-1] < losses[0]
        return submission


def plain(value: Any) -> np.ndarray:
    """A framework's array, detached from its graph, as numpy."""
    return np.asarray(value.detach() if hasattr(value, "detach") else value)
