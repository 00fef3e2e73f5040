"""Connections of a worker's loop to the referee and to the other ranks.

    referee <-> rank 0  -- its messages; numbers to agree on -->  ranks 1 ... N - 1
                rank 0  <-- an error report, or its end --------  each of them

Only rank 0 talks to the referee. It forwards the messages, and each rank runs the same
`harness.worker.worker.Worker` over them: it builds the problem, draws the same batches and uses its
slice of each, makes every step and takes part in every snapshot, of which rank 0's is sent.
Readings of the clock or the wire differ between processes; wherever the loop depends on one, all
ranks use rank 0's (`Line.agree`).

A rank that raises reports the error to rank 0 and exits; if it is killed, its connection closes.
Rank 0 notices both, even while an exchange between ranks hangs, and reports the rank to the
referee, which then kills them all as one process group.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.protocol.messages import Failed, Message, ToRefereeMessage, ToWorkerMessage
from harness.protocol.wire import Tensors, Wire, WireClosedError, WireError
from harness.submission.ranks import LostRankError

GRACE_S = 2.0
"""How long the error of a rank waits for an error of another rank that may have caused it."""
SETTLE_S = 0.05
"""The time between a rank's end and checking all ranks: a killed rank sends no report."""
_NUMBER = struct.Struct("d")


class Line(Protocol):
    """The connection of one rank to the referee."""

    def poll(self) -> bool:
        """Whether a message from the referee is waiting; the same on every rank."""
        ...

    def receive(self) -> tuple[ToWorkerMessage, Tensors]:
        """Wait for the next message; the same on every rank.

        Raises:
            WireClosedError: the referee is gone, or rank 0 is.
        """
        ...

    def send(self, message: Message, tensors: Tensors | None = None) -> None:
        """Send a message to the referee; only rank 0's is sent."""
        ...

    def agree(self, value: float) -> float:
        """Rank 0's value, on every rank."""
        ...

    def report(self, report: Failed, error: BaseException) -> None:
        """Report an error, which ends the trial; the rank sends nothing after that."""
        ...


class SoleLine:
    """The line of a worker with a single process: its wire."""

    def __init__(self, wire: Wire[ToWorkerMessage]) -> None:
        self._wire = wire

    def poll(self) -> bool:
        """Whether a message from the referee is waiting."""
        return self._wire.poll()

    def receive(self) -> tuple[ToWorkerMessage, Tensors]:
        """Wait for the next message."""
        return self._wire.receive()

    def send(self, message: Message, tensors: Tensors | None = None) -> None:
        """Say something to the referee."""
        self._wire.send(message, tensors)

    def agree(self, value: float) -> float:
        """The value itself."""
        return value

    def report(self, report: Failed, error: BaseException) -> None:
        """Report an error."""
        del error
        self._wire.send(report)


@dataclass(frozen=True)
class Follower:
    """Rank 0's connection to another rank."""

    rank: int
    pid: int
    connection: socket.socket
    wire: Wire[ToRefereeMessage]
    """A wire for messages to the rank, and an error report from it."""
    numbers: int
    """The descriptor of a pipe for agreed numbers."""


class LeaderLine:
    """The line of rank 0.

    Args:
        wire: the connection to the referee.
        followers: the other ranks, which are children of this process and are watched from now on.
    """

    def __init__(self, wire: Wire[ToWorkerMessage], followers: Sequence[Follower]) -> None:
        self._wire, self._followers = wire, followers
        self._is_speaking = threading.Lock()
        self._is_lost, self._has_failed = threading.Event(), threading.Event()
        self._loss: tuple[int, Failed]
        threading.Thread(target=self._watch, daemon=True).start()

    def poll(self) -> bool:
        """Whether a message from the referee is waiting."""
        return bool(self.agree(float(self._wire.poll())))

    def receive(self) -> tuple[ToWorkerMessage, Tensors]:
        """Wait for the next message, and forward it.

        Raises:
            LostRankError: another rank is gone.
        """
        message, tensors = self._wire.receive()
        for follower in self._followers:
            try:
                follower.wire.send(message, tensors)
            except WireClosedError as error:
                raise LostRankError(f"rank {follower.rank} is gone") from error
        return message, tensors

    def send(self, message: Message, tensors: Tensors | None = None) -> None:
        """Say something to the referee."""
        with self._is_speaking:
            self._wire.send(message, tensors)

    def agree(self, value: float) -> float:
        """Send the value to the other ranks, and return it.

        Raises:
            LostRankError: another rank is gone.
        """
        number = _NUMBER.pack(value)
        for follower in self._followers:
            try:
                os.write(follower.numbers, number)
            except BrokenPipeError as error:
                raise LostRankError(f"rank {follower.rank} is gone") from error
        return value

    def report(self, report: Failed, error: BaseException) -> None:
        """Report an error: this rank's, or that of the rank which caused it."""
        self._has_failed.set()
        is_lost = self._is_lost.wait(GRACE_S)
        if not is_lost:
            self.send(_name_rank(0, report))
        elif not isinstance(error, LostRankError) and self._loss[1].error == report.error:
            self.send(report)  # every rank has met with it
        else:
            self.send(_name_rank(*self._loss))

    def _watch(self) -> None:
        """Wait for another rank's end and report it, unless this rank reports an error caused by
        it.
        """
        readable = select.poll()
        for follower in self._followers:
            readable.register(follower.connection, select.POLLIN)
        readable.poll()
        time.sleep(SETTLE_S)
        at_end = {descriptor for descriptor, _ in readable.poll(0)}
        ends = [_end_of(f) for f in self._followers if f.connection.fileno() in at_end]
        self._loss = min(ends, key=_is_less_telling)
        self._is_lost.set()
        if not self._has_failed.wait(GRACE_S) and self._is_speaking.acquire(timeout=GRACE_S):
            self._wire.send(_name_rank(*self._loss))
            os._exit(1)


class FollowerLine:
    """The line of another rank.

    Args:
        wire: the connection to rank 0.
        numbers: the descriptor of the pipe for agreed numbers.
    """

    def __init__(self, wire: Wire[ToWorkerMessage], numbers: int) -> None:
        self._wire, self._numbers = wire, numbers

    def poll(self) -> bool:
        """Whether a message from the referee is waiting, according to rank 0."""
        return bool(self.agree(0.0))

    def receive(self) -> tuple[ToWorkerMessage, Tensors]:
        """Wait for the next message."""
        return self._wire.receive()

    def send(self, message: Message, tensors: Tensors | None = None) -> None:
        """Do nothing: rank 0 sends it."""

    def agree(self, value: float) -> float:
        """Rank 0's value.

        Raises:
            WireClosedError: rank 0 is gone.
        """
        del value
        data = os.read(self._numbers, _NUMBER.size)
        if len(data) < _NUMBER.size:
            raise WireClosedError("rank 0 is gone")
        number: float = _NUMBER.unpack(data)[0]
        return number

    def report(self, report: Failed, error: BaseException) -> None:
        """Report an error to rank 0; if another rank was lost, wait, as others report that."""
        with contextlib.suppress(WireClosedError):
            if not isinstance(error, LostRankError):
                self._wire.send(report)
                return
            while True:
                self._wire.receive()


def _name_rank(rank: int, report: Failed) -> Failed:
    """An error report with the rank that it is from."""
    return report.model_copy(update={"error": f"rank {rank}: {report.error}"[:4000]})


def _end_of(follower: Follower) -> tuple[int, Failed]:
    """A rank's error report, or how its process ended."""
    try:
        message, _ = follower.wire.receive(GRACE_S)
    except WireError:
        return follower.rank, Failed(cause="killed", error=_status(follower.pid), frame="")
    if isinstance(message, Failed):
        return follower.rank, message
    return follower.rank, Failed(cause="exception", error=f"it said {message.kind}", frame="")


def _is_less_telling(end: tuple[int, Failed]) -> tuple[bool, bool, int]:
    """A sort key: killed ranks come before ranks out of memory, and both before errors, which these
    may have caused.
    """
    rank, report = end
    return report.cause != "killed", report.cause == "exception", rank


def _status(pid: int) -> str:
    """How a child process ended, in words."""
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:  # the submission has waited for it
        return "it has ended"
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"it exited with status {code}"
    names = {entry.value: entry.name for entry in signal.Signals}
    return f"killed by {names.get(-code, f'signal {-code}')}"
