"""Collects snapshots from the worker, and determines the time of each.

A *glance* takes a snapshot while training continues: the worker writes it into the slot, announces
it and trains on. The referee copies it and reads its clock when the copy is complete, so that the
time is never too early, whatever the worker writes meanwhile. At a *look* the worker is stopped,
sends its snapshot over the wire, with its state if a checkpoint is due, and is frozen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from harness.frameworks.examples import Parameters
from harness.plan.trial import Trial
from harness.protocol.messages import (
    Glance,
    Glanced,
    Go,
    Progress,
    Snapshot,
    Stop,
    Stopped,
    StopReason,
)
from harness.protocol.slot import Flat, Slot, numbers_of, split
from harness.protocol.wire import Tensors
from harness.record import schema
from harness.record.recorder import Recorder
from harness.referee import conversation
from harness.referee.checkpoint import Checkpoints, model_bytes
from harness.referee.checks import are_finite, checked_parameters
from harness.referee.claims import claims_of
from harness.referee.clock import Clock
from harness.referee.conversation import Conversation
from harness.referee.ending import TrialEndedError
from harness.referee.eval_schedule import EvalSchedule
from harness.referee.snapshot_memory import SnapshotMemory
from harness.referee.target_search import HeldSnapshot

LOOK_EVERY_S = 0.5
"""How often a running worker's memory is checked and its progress displayed."""


class StoppedWorker(NamedTuple):
    """The data that a worker sent before it was frozen, not yet checked."""

    snapshot: Snapshot
    message: Stopped
    tensors: Tensors
    timed_s: float


class SnapshotCollector:
    """Takes the snapshots of a trial, each for the next grid point that has not passed.

    Args:
        trial: defines the grid and the budget.
        shapes: of a snapshot's arrays.
        talk: the conversation with the worker.
        slot: the shared memory for glances.
        clock: the trial's clock.
        recorder: records the worker's reports.
        checkpoints: decides whether to request the worker's state, and keeps it.
        check_use: ends the trial if the worker uses too much memory.
    """

    def __init__(
        self,
        trial: Trial,
        shapes: Mapping[str, tuple[int, ...]],
        *,
        talk: Conversation,
        slot: Slot,
        clock: Clock,
        recorder: Recorder,
        checkpoints: Checkpoints,
        check_use: Callable[[], None],
    ) -> None:
        self._trial, self._shapes, self._talk, self._slot = trial, shapes, talk, slot
        self._clock, self._record, self._checkpoints = clock, recorder, checkpoints
        self._check_use = check_use
        self._schedule = EvalSchedule(trial)
        with clock.account("prepare"):
            self._memory = SnapshotMemory(numbers_of(shapes), trial.grid.kept)
        self._last: HeldSnapshot | None = None
        self._is_stop_sent, self._looked_s = False, 0.0
        self._pending_events: list[schema.SnapshotTaken] = []

    @property
    def next_point(self) -> int:
        """The grid point that the next snapshot is for."""
        return (self._last.grid if self._last else 0) + 1

    @property
    def is_over(self) -> bool:
        """Whether the last grid point has passed."""
        return self.next_point > self._schedule.points

    @property
    def steps(self) -> int:
        """The steps up to the last snapshot, as reported by the worker."""
        return self._last.step if self._last else 0

    def resume(self, last: HeldSnapshot) -> None:
        """Continue after a snapshot of an earlier attempt."""
        self._last = last

    def go(self) -> None:
        """Start the clock and let the worker train."""
        self._clock.start()
        self._talk.send(Go(fraction=self._fraction()))

    def glance(self) -> HeldSnapshot:
        """Take a snapshot while the worker trains on."""
        point = self.next_point
        due_s, at_step = self._schedule.deadline(point)
        self._wait_until_due(due_s, at_step)
        self._talk.send(Glance(at_step=at_step))
        if not self._is_answered_by(runtime_s := self._trial.budget.runtime_s):
            if at_step is not None:
                why = f"step {at_step} was not made within {runtime_s:g} s, the bound of its budget"
                raise TrialEndedError("hung", why)
            self._send_stop("budget", None)  # lest it makes another step before it hears of that
        self._wait_for_answer()
        message, _ = self._talk.expect_in_time(Glanced, "say that a snapshot is there")
        flat, timed_s = self._copy()
        parameters = split(flat, self._shapes)
        snapshot = self._take(point, timed_s, message, parameters, is_glance=True)
        self._check_finite([flat], snapshot.step)
        return snapshot

    def _copy(self) -> tuple[Flat, float]:
        """Copy the slot; returns the copy, and the time when it was complete."""
        flat = self._slot.copy(self._memory.take())
        return flat, self._clock.timed_s

    def stop(self) -> StoppedWorker:
        """Stop the worker and the clock; the worker must then be frozen at once."""
        point = self.next_point
        due_s, at_step = self._schedule.deadline(point)
        self._wait_until_due(due_s, at_step)
        if not self._is_stop_sent:
            self._send_stop("budget" if point == self._schedule.points else "look", at_step)
        self._is_stop_sent = False
        self._wait_for_answer()
        most_bytes = self._checkpoints.state_bytes + model_bytes(self._shapes)
        snapshot, tensors = self._talk.expect_in_time(Snapshot, "submit its snapshot", most_bytes)
        message, _ = self._talk.expect_in_time(Stopped, "say that it stopped", most_bytes)
        return StoppedWorker(snapshot, message, tensors, self._clock.stop())

    def accept(self, worker: StoppedWorker) -> HeldSnapshot:
        """Check the snapshot of a stopped worker, which is frozen by now."""
        with self._clock.account("snapshot_copy"):
            snapshot, message, tensors, timed_s = worker
            tensors = self._checkpoints.without_state(snapshot, tensors)
            if message.step != snapshot.step:
                claims = f"{snapshot.step} with its snapshot and {message.step} after it"
                raise TrialEndedError("invalid", f"the worker claims two steps: {claims}")
            parameters = checked_parameters(tensors, self._shapes)
            held_snapshot = self._take(
                self.next_point, timed_s, message, parameters, is_glance=False
            )
            self.record()
            self._check_finite(parameters.values(), held_snapshot.step)
            return held_snapshot

    def _check_finite(self, arrays: Iterable[Flat], step: int) -> None:
        if not are_finite(arrays):
            raise TrialEndedError("diverged", f"parameters not finite at step {step}")

    def record(self) -> None:
        """Record the glances so far, while the worker is not training."""
        with self._clock.account("record"):
            while self._pending_events:
                self._record.claim(self._pending_events.pop(0))

    def _take(
        self,
        point: int,
        timed_s: float,
        message: Progress,
        parameters: Parameters,
        *,
        is_glance: bool,
    ) -> HeldSnapshot:
        if self._last and message.step < self._last.step:
            why = f"the worker claims step {message.step} after step {self._last.step}"
            raise TrialEndedError("invalid", why)
        grid = self._schedule.last_point(point, timed_s, is_glance=is_glance)
        needs_statistics = isinstance(message, Glanced) and message.needs_statistics
        self._last = HeldSnapshot(
            grid, message.step, timed_s, message.examples, parameters, needs_statistics
        )
        event = schema.SnapshotTaken(
            grid=grid,
            step=message.step,
            timed_s=timed_s,
            fraction=self._schedule.fraction(timed_s, message.step),
            is_look=not is_glance,
            claims=claims_of(message),
        )
        self._pending_events.append(event)
        return self._last

    def _fraction(self) -> float:
        return self._schedule.fraction(self._clock.timed_s, self.steps)

    def _send_stop(self, reason: StopReason, at_step: int | None) -> None:
        point = self._schedule.points if reason == "budget" else self.next_point
        checkpoint_bytes = self._checkpoints.wanted_bytes(point, self._clock.timed_s)
        self._talk.send(Stop(reason=reason, at_step=at_step, checkpoint_bytes=checkpoint_bytes))
        self._is_stop_sent = True

    def _wait_until_due(self, due_s: float, at_step: int | None) -> None:
        """Wait until a grid point is due; with a budget in steps the worker waits itself."""
        if not self._is_stop_sent and self._is_answered_by(0.0 if at_step is not None else due_s):
            self._talk.refuse_unasked()

    def _wait_for_answer(self) -> None:
        if not self._is_answered_by(self._trial.budget.runtime_s + conversation.GRACE_S):
            why = f"no snapshot within {conversation.GRACE_S:g} s of the end of the budget"
            raise TrialEndedError("hung", why)

    def _is_answered_by(self, until_s: float) -> bool:
        """Wait for a message or a time on the clock, checking the worker's memory."""
        while (remaining_s := until_s - self._clock.timed_s) > 0.0:
            if self._talk.poll(min(remaining_s, LOOK_EVERY_S)):
                return True
            self._look_around()
        return self._talk.poll()

    def _look_around(self) -> None:
        """Check the worker's use and display its progress, unless that was done recently."""
        timed_s = self._clock.timed_s
        if timed_s - self._looked_s < LOOK_EVERY_S:
            return
        self._looked_s = timed_s
        self._check_use()
        self._record.tell(schema.TrainingProgress(timed_s=timed_s, fraction=self._fraction()))
