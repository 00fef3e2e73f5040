"""Whether all processes of a group are frozen, and have been since they were stopped.

A state that is looked at once says nothing of the time between two looks: a process may have been
woken, have had others work, and have stopped itself again. Processor time tells, of those that have
ended, too: of zombies by their own clocks, of children that were waited for by their parents'.

One look at a whole group is many looks at single processes, one after the other. Whoever was seen
stopped may since have been woken by one that was seen later, the exit of a child say. A group is
therefore looked at twice: if nobody has run between their own two looks, there was an instant
between both passes at which all were stopped, and nobody was left to wake them.
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
"""What a process may still use up on its way to rest, once its state says that it is stopped."""
DYING_TIMEOUT_S = 0.5


class ControlGroup(Protocol):
    """The kernel's own group of a worker's processes, where there is one that can freeze them."""

    def freeze(self) -> None:
        """Stop all that is in it, and all that comes into it."""
        ...

    def thaw(self) -> None:
        """Let it go on."""
        ...

    @property
    def is_frozen(self) -> bool:
        """Whether all that is in it is frozen."""
        ...

    @property
    def processor_ns(self) -> int:
        """What has been used in it, by those that are gone, too."""
        ...


class _Process(NamedTuple):
    has_ended: bool
    use: ProcessUse


@dataclass(frozen=True)
class SuspendedGroup:
    """A group whose threads were all stopped, and what each process had used by then."""

    group: int
    processes: Mapping[int, _Process]
    control: ControlGroup | None = None
    control_ns: int = 0

    @classmethod
    def of(cls, group: int, control: ControlGroup | None = None) -> Self | None:
        """The group, frozen; None if one of its threads is not, or is still exiting."""
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
        """Whether the process that the group is named after is alive."""
        leader = self.processes.get(self.group)
        return leader is not None and not leader.has_ended

    def has_lasted(self) -> bool:
        """Whether nothing of the group has run, begun or ended since."""
        now = SuspendedGroup.of(self.group, self.control)
        return now is not None and now._adds_nothing_to(self)

    def _adds_nothing_to(self, before: SuspendedGroup) -> bool:
        """Whether nobody is new, has ended or has run since; a zombie's parent may bury it."""
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
    """The processes of a group, and its leader even where that has left it."""
    member_pids = []
    for pid in pids():
        with contextlib.suppress(ProcessLookupError):
            if pid == group or os.getpgid(pid) == group:
                member_pids.append(pid)
    return member_pids


def has_ended(group: int) -> bool:
    """Whether no process of a group is left that holds memory or a device."""
    return all(thread.has_ended for pid in members(group) for thread in threads_of(pid))


def ends(pid: int) -> bool:
    """Whether a process has ended, or does within half a second."""
    deadline_s = time.monotonic() + DYING_TIMEOUT_S
    while is_alive := not all(t.has_ended or t.is_exiting for t in threads_of(pid)):
        if time.monotonic() > deadline_s:
            break
        time.sleep(0.001)
    return not is_alive
