"""Checks with a probe of the referee that a device is idle while the worker is frozen.

A frozen worker no longer uses the CPU, but work that it has queued on another device continues. The
referee therefore times a small computation on the device: before there is a worker, and at every
freeze. If it takes clearly longer, the device is busy, and the probe is repeated until it is idle.
A trial is allowed a short busy time in total, because machines sometimes stutter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

REPEATS = 3
FACTOR = 1.6
"""More than the variation by clocks and caches; two programs that share a device double the time.
"""
SLACK_S = {"cpu": 0.2, "cuda": 0.001}
"""On a CPU other load delays the probe too; there, freezing alone stops a worker."""
PATIENCE_S = 1.0
ALLOWED_S, ALLOWED_FRACTION = {"cpu": 5.0, "cuda": 0.1}, 0.01
"""The busy time that a trial is allowed in total: seconds, or a fraction of its budget.

On a CPU other programs make it busy; the worker's activity is seen in its own CPU time.
"""


@dataclass(frozen=True)
class IdleProbe:
    """A probe of one device."""

    probe: Callable[[], None]
    """Runs a small computation on the device and returns when it is finished."""
    limit_s: float
    """The longest time of the probe on an idle device."""
    allowed_s: float
    """The busy time that a trial with a short budget is allowed in total."""

    @classmethod
    def measure(cls, probe: Callable[[], None], device: str) -> Self:
        """Measure how long the probe takes, before any worker is started.

        Args:
            probe: a fixed computation on the device.
            device: the device's name.
        """
        probe()  # the first may compile
        idle_s = max(_seconds(probe) for _ in range(REPEATS))
        kind = device.partition(":")[0]
        return cls(probe, FACTOR * idle_s + SLACK_S[kind], ALLOWED_S[kind])

    def busy_s(self) -> float:
        """Wait up to about a second until the device is idle; returns the seconds waited."""
        start_s, waited_s = time.monotonic(), 0.0
        while waited_s < PATIENCE_S and _seconds(self.probe) > self.limit_s:
            waited_s = time.monotonic() - start_s
        return waited_s

    def why_too_long(self, busy_s: float, budget_s: float) -> str | None:
        """Why this busy time is too long for a trial's budget; None if it is not."""
        allowed_s = max(self.allowed_s, ALLOWED_FRACTION * budget_s)
        if busy_s <= allowed_s:
            return None
        return (
            f"the device computed for {busy_s:.2f} s while the worker was frozen; "
            f"{allowed_s:.2f} s are allowed"
        )


def _seconds(probe: Callable[[], None]) -> float:
    start_s = time.perf_counter()
    probe()
    return time.perf_counter() - start_s
