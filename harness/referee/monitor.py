"""The machine around a trial, as the referee reads it before GO and after the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from harness.machine.readings import MachineChange, MachineReading, between
from harness.referee.ending import TrialEndedError
from harness.sandboxes.base import Use

Reading = Callable[[], MachineReading]


class HostMonitor:
    """Two readings and what lies between them.

    Args:
        reading: takes one.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._cpu_s = self._cpu_before_s = self._own_s = 0.0
        self._oom_kills = kernel_oom_kills()
        self.before: MachineReading | None = None

    def begin(self, use: Use) -> MachineReading:
        """Take the first reading; the worker is frozen, and what it used so far does not count."""
        self._cpu_s = self._cpu_before_s = use.cpu_s
        reading = self._reading()
        self._own_s = sum(os.times()[:2])  # the probe of the reading lies before it, too
        self.before = reading.model_copy(update={"own_s": self._own_s})
        return self.before

    def note(self, use: Use) -> None:
        """Keep the worker's processor time."""
        self._cpu_s = max(self._cpu_s, use.cpu_s)

    def check(self, use: Use, memory_gib: float) -> None:
        """Keep the worker's processor time, and end its trial if it uses more memory than it may.

        Raises:
            TrialEndedError: it does.
        """
        self.note(use)
        if (used_gib := use.memory_bytes / 2**30) > memory_gib:
            why = f"{used_gib:.1f} GiB used; {memory_gib:g} are allowed"
            raise TrialEndedError("out_of_memory", why)

    def changes(self) -> MachineChange | None:
        """The second reading and the changes since the first; None if there was none."""
        if self.before is None:
            return None
        after = self._reading()
        own_s = sum(os.times()[:2]) - self._own_s
        return between(self.before, after, self._cpu_s - self._cpu_before_s, own_s)

    def kernel_has_killed(self) -> bool:
        """Whether the kernel has killed a process for want of memory meanwhile."""
        return kernel_oom_kills() > self._oom_kills


def kernel_oom_kills() -> int:
    """How many processes this machine's kernel has killed for want of memory since it started."""
    lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
