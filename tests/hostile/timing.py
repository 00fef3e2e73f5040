"""How the defences of the clock are switched off: freezing, patience, and when time is read."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

import torch

from harness.protocol import slot
from harness.protocol.messages import Load, Ready, Snapshot, Stop, Stopped, ToWorkerMessage
from harness.protocol.wire import Tensors
from harness.referee import conversation, referee
from harness.referee.clock import Clock
from harness.referee.snapshots import SnapshotCollector
from harness.referee.target_search import TargetSearch
from harness.sandboxes import suspension
from harness.sandboxes.plain import PlainWorkerProcess
from harness.sandboxes.suspension import SuspendedGroup

from .arena import Arena
from .cases import patch_clock
from .submitted_snapshots import with_checkpoints


def clock_of_same_process(arena: Arena) -> bool:
    """A clock in the process of the attack is frozen."""
    for name in ("monotonic", "perf_counter", "time"):
        arena.patch.setattr(time, name, getattr(time, name))
    clock = Clock()
    clock.start()
    patch_clock.attack()
    torch.ones(1000).sum()
    stands = clock.timed_s <= 0.0
    arena.patch.undo()
    return stands


def load_off_the_clock(arena: Arena) -> None:
    arena.patch.setattr(referee.Referee, "_load", _load_off_the_clock)


def _load_off_the_clock(self: referee.Referee) -> None:
    folder = self._worker.show(self._context.train_folder)
    self._talk.send(Load(train_folder=str(folder)), self._context.parameters)
    self._talk.expect(Ready, 60.0, "load the data")


def clock_stops_at_snapshot(arena: Arena) -> None:
    expect = conversation.Conversation.expect

    def expect_and_stop(self: Any, kind: Any, *rest: Any) -> Any:
        result = expect(self, kind, *rest)
        if kind is Snapshot:
            self._clock.stop()
        return result

    arena.patch.setattr(conversation.Conversation, "expect", expect_and_stop)


def never_freeze(arena: Arena) -> None:
    arena.patch.setattr(PlainWorkerProcess, "freeze", lambda self: True)


def trust_the_frozen(arena: Arena) -> None:
    """Take a worker that was stopped for one that has stayed frozen."""
    arena.patch.setattr(PlainWorkerProcess, "has_stayed_frozen", lambda self: True)


def timers_and_time(arena: Arena) -> None:
    """Allow timers of one's own, which wake all but a control group, and let the referee take
    its time while the worker is frozen.
    """
    arena.without("seccomp", "cgroup")
    slow_after("snapshot", 0.6)(arena)


def patient(arena: Arena) -> None:
    arena.patch.setattr(conversation, "GRACE_S", 20.0)
    arena.patch.setattr(conversation, "SETUP_TIMEOUT_S", 60.0)


def impatient(arena: Arena) -> None:
    arena.patch.setattr(conversation, "GRACE_S", 0.4)


def fairly_patient(arena: Arena) -> None:
    arena.patch.setattr(conversation, "GRACE_S", 0.8)


def impatient_with_checkpoints(arena: Arena) -> None:
    impatient(arena)
    with_checkpoints(arena)


def impatient_at_setup(arena: Arena) -> None:
    arena.patch.setattr(conversation, "SETUP_TIMEOUT_S", 0.7)


def patient_with_each_part(arena: Arena) -> None:
    """Give the snapshot, and then the word that the worker stopped, a patience of its own."""

    def expect_patiently(
        self: conversation.Conversation, kind: type[conversation.M], task: str, most_bytes: int = 0
    ) -> tuple[conversation.M, Tensors]:
        return self.expect(kind, conversation.GRACE_S, task)

    arena.patch.setattr(conversation.Conversation, "expect_in_time", expect_patiently)


def hits_at_any_time(arena: Arena) -> None:
    arena.patch.setattr(TargetSearch, "_is_in_time", lambda self, timed_s: True)


def slow_copies(arena: Arena) -> None:
    """Let the referee take its time until it copies what lies in the slot."""
    copy = slot.Slot.copy

    def late(self: slot.Slot, into: slot.Flat) -> slot.Flat:
        time.sleep(1.9)
        return copy(self, into)

    arena.patch.setattr(slot.Slot, "copy", late)


def timed_before_the_copy(arena: Arena) -> None:
    def early(self: SnapshotCollector) -> tuple[slot.Flat, float]:
        timed_s = self._clock.timed_s
        return self._slot.copy(self._memory.take()), timed_s

    arena.patch.setattr(SnapshotCollector, "_copy", early)


def no_glances(arena: Arena) -> None:
    """Stop the worker for every snapshot, as if nothing were handed over in passing."""
    arena.patch.setattr(TargetSearch, "is_look_due", lambda self, point: True)


def slow_after(kind: str, seconds: float) -> Callable[[Arena], None]:
    """Let the referee take its time while the worker is frozen."""

    def prepare(arena: Arena) -> None:
        arena.ear.slow_kind, arena.ear.slow_s = kind, seconds

    return prepare


def plain_and_slow(arena: Arena) -> None:
    """Switch every layer off, and let the referee take its time while the worker is frozen."""
    arena.plain()
    slow_after("snapshot", 0.6)(arena)


def look_once_at_the_living(arena: Arena) -> None:
    """Stop a group once, look at it once, and compare what the living of it have used.

    A helper that is not written in Python uses less than the limit; here the limit is higher.
    """
    arena.patch.setattr(suspension, "SLACK_NS", 5_000_000)

    def of(group: int, control: object = None) -> SuspendedGroup | None:
        if (group_seen := SuspendedGroup._observe(group, None)) is None:
            return None
        living = {pid: of for pid, of in group_seen.processes.items() if not of.has_ended}
        return SuspendedGroup(group, living)

    arena.patch.setattr(SuspendedGroup, "of", of)
    stop = PlainWorkerProcess._stop

    def stop_once(worker: Any) -> None:
        if not getattr(worker, "is_told", False):
            worker.is_told = True
            stop(worker)

    def thaw(worker: Any) -> None:
        worker.is_told, worker._suspended = False, None
        worker._signal(signal.SIGCONT)

    arena.patch.setattr(PlainWorkerProcess, "_stop", stop_once)
    arena.patch.setattr(PlainWorkerProcess, "thaw", thaw)


def leaders_are_not_missed(arena: Arena) -> None:
    """Take a group for a worker even where the worker itself has ended."""
    look_once_at_the_living(arena)
    arena.patch.setattr(SuspendedGroup, "has_leader", True)
    arena.patch.setattr(PlainWorkerProcess, "_ends_with_its_leader", lambda self: True)


def clock_stops_when_asked(arena: Arena) -> None:
    """Stop the clock when a snapshot is asked for, and not when it is there."""
    send = conversation.Conversation.send

    def send_and_stop(
        self: conversation.Conversation, message: ToWorkerMessage, tensors: Tensors | None = None
    ) -> None:
        send(self, message, tensors)
        if isinstance(message, Stop):
            self._clock.stop()

    arena.patch.setattr(conversation.Conversation, "send", send_and_stop)


def claimed_seconds_are_free(arena: Arena) -> None:
    """Take what a worker says it has spent on snapshots off the clock."""
    expect = conversation.Conversation.expect

    def expect_and_discount(self: Any, kind: Any, *rest: Any) -> Any:
        result = expect(self, kind, *rest)
        if kind is Stopped:
            self._clock.charge("claimed", -result[0].snapshots_s)
        return result

    arena.patch.setattr(conversation.Conversation, "expect", expect_and_discount)
