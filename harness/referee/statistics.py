"""Batch statistics of averaged weights, recomputed by the referee.

An average of weights is evaluated with statistics of its own: the mean over the first batches of
the instance's order. At a look the worker computes them, on the clock. At a glance that would cost
it several passes each, so it hands over its weights without, and the referee makes the same passes
for the few such snapshots that are evaluated, off the clock.
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
    """Recomputes the statistics of a model that has some.

    Args:
        backend: the framework's training, on the evaluation's device; called once they are needed.
        config: the problem's, of the trial.
        examples: the training split.
        order: of the trial's instance.
        augmentation: of its images.
    """

    backend: Callable[[], TrainingBackend[Any]]
    config: ProblemConfig
    examples: Callable[[], Examples]
    order: Order
    augmentation: Augmentation | None

    def recompute(self, parameters: Parameters) -> Parameters:
        """The same parameters, with the statistics that they have on the first batches."""
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
