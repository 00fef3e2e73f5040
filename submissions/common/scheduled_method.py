"""What submissions written as classes share in both frameworks: schedule, clip and batch size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from harness.core.errors import HarnessError
from harness.submission.interface import Batch, Hyperparameters, Problem, Schedule, Stream
from submissions.common import schedules

ArrayT = TypeVar("ArrayT")


class ScheduledMethod(ABC, Generic[ArrayT]):
    """The part of a method that is the same in both frameworks; `methods.Method` has the rest.

    Attributes:
        problem: the training problem.
        point: the hyperparameters.
        factor: the schedule's factor for the current step; 1 without a schedule.
        clip: the bound on gradient norms used by `clip_gradients`; 0 for none.
    """

    # `problem.evaluate` does not update running statistics, and an average may be evaluated.
    averages_weights = True
    clips_gradients = True
    # Whether the method runs a line search on the loss whose gradient it follows.
    searches_lengths = False
    problem: Problem[ArrayT]
    point: Hyperparameters

    def setup_point(self, hyperparameters: Hyperparameters) -> None:
        """Store the hyperparameters and make the schedule.

        Raises:
            HarnessError: `clip` is negative, or set where the method searches for lengths.
        """
        self.point = hyperparameters
        self.factor, self.clip = 1.0, self._bound()
        self._schedule: Schedule | None = None
        if "schedule" in hyperparameters:
            self._schedule = schedules.from_hyperparameters(hyperparameters)

    @abstractmethod
    def move(self, stream: Stream[ArrayT]) -> ArrayT:
        """Draw batches and update the parameters; return the loss before the step, a scalar."""

    def step(self, stream: Stream[ArrayT]) -> ArrayT:
        """Call the schedule once (it may count its calls), then `move`."""
        if self._schedule is not None:
            progress = self.problem.budget.progress(self.point["horizon"])
            self.factor = self._schedule(progress)
        return self.move(stream)

    def learning_rate(self) -> float | None:
        """The scheduled learning rate of the current or last step; None if the point has none."""
        if "learning_rate" not in self.point:
            return None
        return float(self.point["learning_rate"]) * self.factor

    def large_batch(self, stream: Stream[ArrayT]) -> Batch[ArrayT]:
        """Draw `batch_factor` workload batches as one, at most the whole training set."""
        size = int(self.point["batch_factor"]) * self.problem.batch_size
        return stream.next(min(size, self.problem.train_examples))

    def _bound(self) -> float:
        bound = bound_of(self.point)
        if bound and self.searches_lengths:
            raise HarnessError(
                f"clip is {bound}, and this method searches for the length of a step on the loss "
                "whose gradient it follows: a clipped gradient belongs to no loss",
                "set clip = 0.0, or leave it out",
            )
        return bound


def bound_of(point: Hyperparameters) -> float:
    """The largest gradient norm of a point, its `clip`; 0, the default, means no bound.

    Raises:
        HarnessError: `clip` is negative.
    """
    bound = float(point.get("clip", 0.0))
    if not bound >= 0.0:
        raise HarnessError(f"clip is {bound}", "allowed: 0 (off) or a largest norm")
    return bound
