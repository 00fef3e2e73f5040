"""The exchange of messages with the worker, with a timeout for every answer."""

from __future__ import annotations

from typing import TypeVar

from harness.plan.trial import State
from harness.protocol.messages import (
    Failed,
    Glanced,
    Profiled,
    Ready,
    Snapshot,
    Stopped,
    ToRefereeMessage,
    ToWorkerMessage,
    Warm,
)
from harness.protocol.wire import Tensors, Wire, WireError, WireTimeoutError
from harness.record import schema
from harness.record.recorder import Recorder
from harness.referee.checks import printable
from harness.referee.clock import Clock
from harness.referee.ending import RankKilledError, TrialEndedError

M = TypeVar("M", Ready, Warm, Glanced, Snapshot, Stopped, Profiled)

SETUP_TIMEOUT_S = 60.0
"""Timeout for importing the submission and building the model, and for loading the data."""
GRACE_S = 2.0
"""The time after the end of the budget in which a worker must finish its step and submit its
snapshot."""
SLOWEST_BYTES_PER_S = 250e6
"""The least speed at which a worker must copy a snapshot from its device and send it."""


class Conversation:
    """The referee's end of the wire.

    Args:
        wire: the connection to the worker.
        recorder: records the worker's error report.
        clock: the trial's clock.
        budget_s: the trial's budget in seconds.
    """

    def __init__(
        self, wire: Wire[ToRefereeMessage], recorder: Recorder, clock: Clock, budget_s: float
    ) -> None:
        self._wire, self._record, self._clock, self._budget_s = wire, recorder, clock, budget_s

    def poll(self, timeout_s: float = 0.0) -> bool:
        """Whether a message from the worker arrives within a time."""
        return self._wire.poll(timeout_s)

    def send(self, message: ToWorkerMessage, tensors: Tensors | None = None) -> None:
        """Send a message.

        Raises:
            WireError: the worker is gone, or does not read it in time.
        """
        self._wire.send(message, tensors, timeout_s=SETUP_TIMEOUT_S)

    def expect_in_time(self, kind: type[M], task: str, most_bytes: int = 0) -> tuple[M, Tensors]:
        """Wait for a part of a snapshot, which must be complete shortly after the end of the
        budget.

        Args:
            kind: the type of message.
            task: what the worker has to do, in words.
            most_bytes: the most that it may have to send.
        """
        grace_s = GRACE_S + most_bytes / SLOWEST_BYTES_PER_S
        remaining_s = self._budget_s + grace_s - self._clock.timed_s
        of = " of the end of the budget" if remaining_s < grace_s else ""
        return self.expect(kind, max(0.0, min(grace_s, remaining_s)), task, f"{grace_s:.3g} s{of}")

    def expect(
        self, kind: type[M], timeout_s: float, task: str, limit: str = ""
    ) -> tuple[M, Tensors]:
        """Wait for a message of a kind.

        Args:
            kind: the type of message.
            timeout_s: the longest wait.
            task: what the worker has to do, in words.
            limit: the time limit in words, if the number alone is unclear.

        Raises:
            TrialEndedError: the submission has failed.
            RankKilledError: one of the worker's ranks has been killed.
            WireError: the worker is gone, sent something else, or nothing in time.
        """
        try:
            message, tensors = self._wire.receive(timeout_s)
        except WireTimeoutError as error:
            why = f"the worker did not {task} within {limit or f'{timeout_s:g} s'}"
            raise WireTimeoutError(why) from error
        if isinstance(message, Failed):
            self._fail(message)
        if not isinstance(message, kind):
            raise WireError(f"the worker sent {message.kind} when it had to {task}")
        return message, tensors

    def refuse_unasked(self) -> None:
        """End the trial because the worker has sent an unsolicited message."""
        message, _ = self._wire.receive(GRACE_S)
        if isinstance(message, Failed):
            self._fail(message)
        raise TrialEndedError("invalid", f"the worker sent {message.kind} unasked")

    def _fail(self, message: Failed) -> None:
        error, frame = printable(message.error), printable(message.frame)
        self._record.claim(schema.WorkerFailed(cause=message.cause, error=error, frame=frame))
        if message.cause == "killed":
            raise RankKilledError(error)
        state: State = "out_of_memory" if message.cause == "out_of_memory" else "crashed"
        raise TrialEndedError(state, message.text)
