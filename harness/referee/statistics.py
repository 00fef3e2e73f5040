"""Recomputes batch statistics for averaged weights.

Averaged weights are evaluated with their own statistics: means over the first batches of the
instance's order. At a look the worker computes them, on the clock. At a glance this would cost the
worker several passes each time, so it submits the weights without statistics, and the referee makes
the same passes, off the clock, for the few snapshots that are evaluated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.frameworks.base import TrainingBackend, TrainingProblem
from harness.frameworks.examples import Examples, Parameters
from harness.frameworks.order import Order
from harness.frameworks.problem import STATISTICS_BATCHES, ProblemConfig
from harness.submission.interface import Batch
from workloads.spec import Augmentation


@dataclass(frozen=True)
class BatchStatistics:
    """Recomputes the batch statistics of a model.

    Args:
        backend: creates the framework's training backend on the evaluation device, when needed.
        config: the configuration of the trial's problem.
        examples: opens the training split.
        order: the instance's order of examples.
        augmentation: how training images are augmented; None if they are not.
    """

    backend: Callable[[], TrainingBackend[Any]]
    config: ProblemConfig
    examples: Callable[[], Examples]
    order: Order
    augmentation: Augmentation | None

    def recompute(self, parameters: Parameters) -> Parameters:
        """The same parameters with recomputed statistics."""
        backend, problem = self._backend, self._problem
        backend.load(problem, parameters)
        problem.recompute_statistics(problem.parameters, self._batches)
        return backend.export({**problem.parameters, **problem.buffers})

    @cached_property
    def _backend(self) -> TrainingBackend[Any]:
        return self.backend()

    @cached_property
    def _problem(self) -> TrainingProblem[Any]:
        return self._backend.problem(self.config)

    @cached_property
    def _batches(self) -> list[Batch[Any]]:
        size = self.config.batch_size
        stream = self._backend.stream(self.examples(), self.order, size, self.augmentation)
        return [stream.next() for _ in range(STATISTICS_BATCHES)]
