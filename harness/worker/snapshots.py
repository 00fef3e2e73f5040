"""What a worker hands over: snapshots in passing, through shared memory, and at a stop."""

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
    """How far training is."""

    step: int
    examples: int
    """Taken from the stream so far."""
    loss: SupportsFloat | None
    """Of the last step, if it returned one; reading it may wait for the device."""


class ProgressFields(TypedDict):
    """The fields of `Progress` but for what its snapshots have taken."""

    step: int
    examples: int
    train_loss: float | None
    learning_rate: float | None
    forwards: int
    backwards: int


class SnapshotSender(Generic[ArrayT]):
    """Sends snapshots of a submission's evaluation parameters, and counts what they take.

    Args:
        line: to the referee.
        backend: the framework's.
        problem: what is trained.
        shapes: of the model's parameters and buffers, in the order in which they lie in the slot.
        slot: shared memory, for snapshots that the referee asks for in passing.
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
        """Take the batches that running statistics are recomputed from."""
        self._batches = [stream.next() for _ in range(STATISTICS_BATCHES)]

    def rehearse(self, submission: Submission[ArrayT]) -> None:
        """Do all that a snapshot takes but the sending, so that it is compiled."""
        self._fill_slot(submission)
        self._backend.export(self._eval_parameters(submission))

    def glance(self, submission: Submission[ArrayT], moment: Moment) -> None:
        """Hand a snapshot over in passing."""
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
        """Hand a snapshot over at a stop, with the state for a checkpoint if that fits."""
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
        """What is to be evaluated: parameters and, if the model has any, running statistics."""
        parameters = submission.eval_parameters()
        if self._needs_statistics(submission):
            self._problem.recompute_statistics(parameters, self._batches)
        return {**parameters, **self._problem.buffers}

    def _needs_statistics(self, submission: Submission[ArrayT]) -> bool:
        """Whether what is evaluated has other running statistics than what is trained."""
        return bool(self._problem.buffers) and submission.averages_weights
