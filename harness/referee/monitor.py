"""Readings of the machine before GO and after the end, and of the worker's use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from harness.machine.readings import MachineChange, MachineReading, between
from harness.referee.ending import TrialEndedError
from harness.sandboxes.base import Use

Reading = Callable[[], MachineReading]


class HostMonitor:
    """Takes the two readings of an attempt and compares them.

    Args:
        reading: reads the machine's times, load and throttling.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._cpu_s = self._cpu_before_s = self._own_s = 0.0
        self._oom_kills = kernel_oom_kills()
        self.before: MachineReading | None = None

    def begin(self, use: Use) -> MachineReading:
        """Take the first reading, while the worker is frozen; its use so far does not count."""
        self._cpu_s = self._cpu_before_s = use.cpu_s
        reading = self._reading()
        self._own_s = sum(os.times()[:2])  # the probe of the reading lies before it, too
        self.before = reading.model_copy(update={"own_s": self._own_s})
        return self.before

    def note(self, use: Use) -> None:
        """Record the worker's CPU time."""
        self._cpu_s = max(self._cpu_s, use.cpu_s)

    def check(self, use: Use, memory_gib: float) -> None:
        """Record the worker's CPU time, and end the trial if it exceeds its memory limit.

        Raises:
            TrialEndedError: it does.
        """
        self.note(use)
        if (used_gib := use.memory_bytes / 2**30) > memory_gib:
            why = f"{used_gib:.1f} GiB used; {memory_gib:g} are allowed"
            raise TrialEndedError("out_of_memory", why)

    def changes(self) -> MachineChange | None:
        """Take the second reading and compare it with the first; None if there was no first one."""
        if self.before is None:
            return None
        after = self._reading()
        own_s = sum(os.times()[:2]) - self._own_s
        return between(self.before, after, self._cpu_s - self._cpu_before_s, own_s)

    def kernel_has_killed(self) -> bool:
        """Whether the kernel has killed a process for lack of memory since the start."""
        return kernel_oom_kills() > self._oom_kills


def kernel_oom_kills() -> int:
    """How many processes this machine's kernel has killed for lack of memory since it started."""
    lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
