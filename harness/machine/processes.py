"""Reads processes from /proc: their threads, whether they are exiting, their CPU time.

An exiting process first releases its memory, which for gigabytes takes a second or more. It is then
a zombie, which holds only its process id, until its parent reaps it. Only the first phase uses the
machine, and only its end can still wake another process.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import NamedTuple

EXITS_TIMEOUT_S = 2.0
_STOPPED_STATES, _ENDED_STATES, _EXITING = "Tt", "ZX", 0x4
_LOOK_EVERY_S = 0.005


class Thread(NamedTuple):
    """One thread, as /proc shows it."""

    state: str
    flags: int

    @property
    def has_ended(self) -> bool:
        """Whether it is a zombie, which does nothing any more."""
        return self.state in _ENDED_STATES

    @property
    def is_exiting(self) -> bool:
        """Whether it is exiting and has not ended yet."""
        return bool(self.flags & _EXITING) and not self.has_ended

    @property
    def is_stopped(self) -> bool:
        """Whether a signal has stopped it."""
        return self.state in _STOPPED_STATES


class ProcessUse(NamedTuple):
    """The processor time of a process."""

    own_ns: int
    """Of all its threads, including those that have ended."""
    children_ticks: int
    """Of all its children that have ended and been waited for, and of theirs."""


def stat_fields(folder: Path) -> list[str]:
    """The fields of a /proc stat file after the name, which may contain any bytes."""
    return (folder / "stat").read_bytes().rpartition(b")")[2].decode("ascii").split()


def pids() -> list[int]:
    """The ids of all visible processes."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208, fast


def threads_of(pid: int) -> list[Thread]:
    """The threads of a process; none if it is gone."""
    threads = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                fields = stat_fields(task)
                threads.append(Thread(fields[0], int(fields[6])))
    return threads


def use_of(pid: int) -> ProcessUse | None:
    """The processor time of a process or zombie; None if it is gone.

    The clock id of another process is computed as MAKE_PROCESS_CPUCLOCK in the kernel's source
    does; unlike the ticks in /proc it counts nanoseconds.
    """
    try:
        fields = stat_fields(Path(f"/proc/{pid}"))
        own_ns = time.clock_gettime_ns(~pid << 3 | 2)
    except OSError:
        return None
    return ProcessUse(own_ns, int(fields[13]) + int(fields[14]))


def wait_for_exits(timeout_s: float = EXITS_TIMEOUT_S) -> bool:
    """Wait until no process of this machine is exiting.

    Releasing memory takes time, which would distort a measurement.

    Args:
        timeout_s: the longest wait, in seconds.

    Returns:
        whether none is.
    """
    deadline_s = time.monotonic() + timeout_s
    while any(_is_exiting(pid) for pid in pids()):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def _is_exiting(pid: int) -> bool:
    """Whether a process or one of its threads is exiting; reads one file for most processes."""
    return any(thread.is_exiting for thread in threads_of(pid))
