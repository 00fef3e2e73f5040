"""Checks that all processes of a group are frozen, and have been since they were stopped.

A process state says nothing about the time in between: a process may have been woken, have let
others work, and have stopped itself again. CPU time shows this, also for ended processes: zombies
still have clocks, and the time of reaped children is counted in their parents'.

Observing a group means observing its processes one after the other. A process that was seen stopped
may have been woken by one that was seen later, for example by the exit of a child. A group is
therefore observed twice: if no process has run between its two observations, there was an instant
between the passes at which all were stopped, and none was left to wake them.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

from harness.machine.processes import ProcessUse, pids, threads_of, use_of

SLACK_NS = 500_000
"""CPU time that a process may still use after its state says that it is stopped."""
DYING_TIMEOUT_S = 0.5


class ControlGroup(Protocol):
    """A control group of a worker's processes that can freeze them."""

    def freeze(self) -> None:
        """Freeze all processes in it, including ones that join later."""
        ...

    def thaw(self) -> None:
        """Let it go on."""
        ...

    @property
    def is_frozen(self) -> bool:
        """Whether all processes in it are frozen."""
        ...

    @property
    def processor_ns(self) -> int:
        """The CPU time used in it, including that of ended processes."""
        ...


class _Process(NamedTuple):
    has_ended: bool
    use: ProcessUse


@dataclass(frozen=True)
class SuspendedGroup:
    """A group whose threads are all stopped, with the CPU time of each process at that moment."""

    group: int
    processes: Mapping[int, _Process]
    control: ControlGroup | None = None
    control_ns: int = 0

    @classmethod
    def of(cls, group: int, control: ControlGroup | None = None) -> Self | None:
        """Observe a group; None if one of its threads is not stopped, or is still exiting."""
        if (first := cls._observe(group, control)) is None:
            return None
        second = cls._observe(group, control)
        return second if second is not None and second._adds_nothing_to(first) else None

    @classmethod
    def _observe(cls, group: int, control: ControlGroup | None) -> Self | None:
        processes = {}
        for pid in members(group):
            threads = threads_of(pid)
            if any(thread.is_exiting for thread in threads):
                return None
            # a frozen control group's threads sleep where others are stopped
            if control is None and not all(t.is_stopped or t.has_ended for t in threads):
                return None
            if threads and (use := use_of(pid)) is not None:
                processes[pid] = _Process(all(thread.has_ended for thread in threads), use)
        if control is None:
            return cls(group, processes)
        return cls(group, processes, control, control.processor_ns) if control.is_frozen else None

    @property
    def has_leader(self) -> bool:
        """Whether the group's leader is alive."""
        leader = self.processes.get(self.group)
        return leader is not None and not leader.has_ended

    def has_lasted(self) -> bool:
        """Whether no process of the group has run, begun or ended since."""
        now = SuspendedGroup.of(self.group, self.control)
        return now is not None and now._adds_nothing_to(self)

    def _adds_nothing_to(self, before: SuspendedGroup) -> bool:
        """Whether no process is new, has ended or has run since; zombies may have been reaped."""
        missing = before.processes.keys() - self.processes.keys()
        return (
            self.control_ns - before.control_ns <= SLACK_NS
            and all(before.processes[pid].has_ended for pid in missing)
            and all(
                pid in before.processes and _has_rested(before.processes[pid], now)
                for pid, now in self.processes.items()
            )
        )


def _has_rested(before: _Process, now: _Process) -> bool:
    return (
        now.has_ended == before.has_ended
        and now.use.own_ns - before.use.own_ns <= SLACK_NS
        and now.use.children_ticks == before.use.children_ticks
    )


def members(group: int) -> list[int]:
    """The processes of a group, and its leader even if it has left the group."""
    member_pids = []
    for pid in pids():
        with contextlib.suppress(ProcessLookupError):
            if pid == group or os.getpgid(pid) == group:
                member_pids.append(pid)
    return member_pids


def has_ended(group: int) -> bool:
    """Whether all processes of a group have released their memory and devices."""
    return all(thread.has_ended for pid in members(group) for thread in threads_of(pid))


def ends(pid: int) -> bool:
    """Whether a process has ended, or does within half a second."""
    deadline_s = time.monotonic() + DYING_TIMEOUT_S
    while is_alive := not all(t.has_ended or t.is_exiting for t in threads_of(pid)):
        if time.monotonic() > deadline_s:
            break
        time.sleep(0.001)
    return not is_alive
