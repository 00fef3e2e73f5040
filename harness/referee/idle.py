"""Whether a device has come to rest: the referee's own probe, while the worker stands still.

A frozen worker computes no more on the processor, but what it has queued on another device goes on.
The referee therefore times a small computation of its own on the device: before there is a worker,
and at every freeze. If it takes clearly longer, something else computes there, and the probe is
repeated until nothing does. A trial may have a little of that, for a machine that stutters.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

REPEATS = 3
FACTOR = 1.6
"""Beyond what clocks and caches do to a computation; two programs that share a device halve it."""
SLACK_S = {"cpu": 0.2, "cuda": 0.001}
"""A processor's load delays a computation, too; there, freezing is what stops a worker."""
PATIENCE_S = 1.0
ALLOWED_S, ALLOWED_SHARE = 0.1, 0.01
"""How long the device may be found busy in a whole trial: seconds, or a share of its budget."""


@dataclass(frozen=True)
class IdleProbe:
    """A probe of one device."""

    probe_s: Callable[[], float]
    limit_s: float
    """What it takes at most on a device that is idle."""

    @classmethod
    def measured(cls, probe_s: Callable[[], float], device: str) -> Self:
        """Learn how long the probe takes here; no worker has been started yet.

        Args:
            probe_s: makes the computation and returns its seconds.
            device: what it runs on.
        """
        probe_s()  # the first may compile
        idle_s = max(probe_s() for _ in range(REPEATS))
        return cls(probe_s, FACTOR * idle_s + SLACK_S[device.partition(":")[0]])

    def busy_s(self) -> float:
        """How long it takes until the device is idle: 0 if it is, about a second at most."""
        start_s, waited_s = time.monotonic(), 0.0
        while waited_s < PATIENCE_S and self.probe_s() > self.limit_s:
            waited_s = time.monotonic() - start_s
        return waited_s


def allowed_busy_s(budget_s: float) -> float:
    """How long a device may be found busy in a trial of some budget."""
    return max(ALLOWED_S, ALLOWED_SHARE * budget_s)
