"""Sends a worker's snapshots: through shared memory at a glance, over the wire at a stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, SupportsFloat, TypedDict

from harness.frameworks.base import TrainingBackend, TrainingProblem, TrainingStream
from harness.frameworks.problem import STATISTICS_BATCHES
from harness.protocol.messages import Glanced, Stopped
from harness.protocol.slot import Flat
from harness.submission.interface import Batch, Submission
from harness.submission.state import ArrayT
from harness.worker.checkpoint import WorkerState, pack_state
from harness.worker.lines import Line
from harness.worker.report import finite


class Moment(NamedTuple):
    """The progress of training."""

    step: int
    examples: int
    """The number of examples drawn so far."""
    loss: SupportsFloat | None
    """The loss of the last step, if it returned one; reading it may wait for the device."""


class ProgressFields(TypedDict):
    """The fields of the message `Progress`, except for the time of snapshots."""

    step: int
    examples: int
    train_loss: float | None
    learning_rate: float | None
    forwards: int
    backwards: int


class SnapshotSender(Generic[ArrayT]):
    """Sends snapshots of a submission's evaluation parameters, and measures their time.

    Args:
        line: the connection to the referee.
        backend: the framework's backend.
        problem: the problem that is trained.
        shapes: of the model's parameters and buffers, in the slot's order.
        slot: the shared memory for glances.
    """

    def __init__(
        self,
        line: Line,
        backend: TrainingBackend[ArrayT],
        problem: TrainingProblem[ArrayT],
        shapes: Mapping[str, tuple[int, ...]],
        slot: Flat,
    ) -> None:
        self._line, self._backend, self._problem = line, backend, problem
        self._shapes, self._slot = shapes, slot
        self._batches: list[Batch[ArrayT]] = []
        self._seconds = 0.0

    def take_batches(self, stream: TrainingStream[ArrayT]) -> None:
        """Set the batches from which running statistics are recomputed."""
        self._batches = [stream.next() for _ in range(STATISTICS_BATCHES)]

    def rehearse(self, submission: Submission[ArrayT]) -> None:
        """Do everything for a snapshot except sending it, so that it is compiled."""
        self._fill_slot(submission)
        self._backend.export(self._eval_parameters(submission))

    def glance(self, submission: Submission[ArrayT], moment: Moment) -> None:
        """Submit a snapshot at a glance."""
        start_s = time.perf_counter()
        self._fill_slot(submission)
        progress = self._progress(submission, moment)
        self._seconds += time.perf_counter() - start_s
        needs_statistics = self._needs_statistics(submission)
        self._line.send(
            Glanced(snapshots_s=self._seconds, needs_statistics=needs_statistics, **progress)
        )

    def submit(
        self,
        submission: Submission[ArrayT],
        moment: Moment,
        state: Callable[[], WorkerState[ArrayT]],
        checkpoint_bytes: int,
    ) -> None:
        """Submit a snapshot at a stop, with the state for a checkpoint if it is not too large."""
        start_s = time.perf_counter()
        self._backend.synchronize()
        arrays = self._backend.export(self._eval_parameters(submission))
        # The state comes after what is evaluated, which may change it (averages are swapped in).
        to_host = self._backend.to_host
        snapshot, tensors = pack_state(state, to_host, moment.step, checkpoint_bytes)
        self._line.send(snapshot, {**arrays, **tensors})
        progress = self._progress(submission, moment)
        self._seconds += time.perf_counter() - start_s
        self._line.send(Stopped(snapshots_s=self._seconds, **progress))

    def _fill_slot(self, submission: Submission[ArrayT]) -> None:
        self._backend.synchronize()
        arrays = {**submission.eval_parameters(), **self._problem.buffers}
        self._backend.export_into(arrays, self._shapes, self._slot)

    def _progress(self, submission: Submission[ArrayT], moment: Moment) -> ProgressFields:
        counts = self._problem.counts
        return {
            "step": moment.step,
            "examples": moment.examples,
            "train_loss": finite(moment.loss),
            "learning_rate": finite(submission.learning_rate()),
            "forwards": counts["forward"],
            "backwards": counts["backward"],
        }

    def _eval_parameters(self, submission: Submission[ArrayT]) -> dict[str, ArrayT]:
        """The parameters to evaluate, and the running statistics if the model has any."""
        parameters = submission.eval_parameters()
        if self._needs_statistics(submission):
            self._problem.recompute_statistics(parameters, self._batches)
        return {**parameters, **self._problem.buffers}

    def _needs_statistics(self, submission: Submission[ArrayT]) -> bool:
        """Whether the evaluated parameters need other running statistics than the trained ones."""
        return bool(self._problem.buffers) and submission.averages_weights
