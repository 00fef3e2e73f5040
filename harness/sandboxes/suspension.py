"""Whether all processes of a group are frozen, and have been since they were stopped.

A state that is looked at once says nothing of the time between two looks: a process may have been
woken by a timer of its own and have stopped itself again. Its processor time tells.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

SLACK_NS = 500_000
"""What a thread may still use up on its way to rest, once its state says that it is stopped."""
DYING_TIMEOUT_S = 0.5
_STOPPED, _ENDED, _EXITING = "Tt", "ZX", 0x4


class _Thread(NamedTuple):
    state: str
    is_exiting: bool

    @property
    def is_alive(self) -> bool:
        return self.state not in _ENDED and not self.is_exiting


@dataclass(frozen=True)
class SuspendedGroup:
    """A group whose threads were all stopped, and the processor time of each process then."""

    group: int
    processor_ns: Mapping[int, int]

    @classmethod
    def of(cls, group: int) -> Self | None:
        """The group, frozen; None if one of its threads is not."""
        found = {}
        for pid in members(group):
            threads = _threads(pid)
            if any(thread.state not in _STOPPED + _ENDED for thread in threads):
                return None
            if any(thread.is_alive for thread in threads):
                found[pid] = _processor_ns(pid)
        return cls(group, found)

    def has_lasted(self) -> bool:
        """Whether nothing of the group has run, begun or ended since.

        A leader that was killed meanwhile has done nothing; its end is reported elsewhere.
        """
        now = SuspendedGroup.of(self.group)
        return (now is not None and self._is_as_in(now)) or _ends(self.group)

    def _is_as_in(self, now: SuspendedGroup) -> bool:
        return self.processor_ns.keys() == now.processor_ns.keys() and all(
            now.processor_ns[pid] - before <= SLACK_NS for pid, before in self.processor_ns.items()
        )


def stat_fields(folder: Path) -> list[str]:
    """What /proc has of a process or thread behind its name, which may hold any bytes."""
    return (folder / "stat").read_bytes().rpartition(b")")[2].decode("ascii").split()


def members(group: int) -> list[int]:
    """The processes of a group, and its leader even where that has left it."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208, a call of microseconds at every freeze
        with contextlib.suppress(ProcessLookupError, ValueError):
            if int(name) == group or os.getpgid(int(name)) == group:
                found.append(int(name))
    return found


def has_ended(group: int) -> bool:
    """Whether no process of a group is left that holds memory or a device."""
    return not any(thread.state not in _ENDED for pid in members(group) for thread in _threads(pid))


def _threads(pid: int) -> list[_Thread]:
    """The threads of a process; none if it is gone."""
    found = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            fields = stat_fields(task)
            found.append(_Thread(fields[0], bool(int(fields[6]) & _EXITING)))
    return found


def _processor_ns(pid: int) -> int:
    """The processor time of a process with all its threads, those that have ended included.

    The clock of another process has a number, see MAKE_PROCESS_CPUCLOCK in the kernel's source;
    unlike the ticks in /proc it counts nanoseconds.
    """
    try:
        return time.clock_gettime_ns(~pid << 3 | 2)
    except OSError:  # it is gone
        return -1


def _ends(pid: int) -> bool:
    """Whether a process has ended, or does within half a second."""
    deadline_s = time.monotonic() + DYING_TIMEOUT_S
    while is_alive := any(thread.is_alive for thread in _threads(pid)):
        if time.monotonic() > deadline_s:
            break
        time.sleep(0.001)
    return not is_alive
