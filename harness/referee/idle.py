"""Whether a device has come to rest: the referee's own probe, while the worker is frozen.

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
ALLOWED_S, ALLOWED_FRACTION = {"cpu": 5.0, "cuda": 0.1}, 0.01
"""How long the device may be found busy in a whole trial: seconds, or a fraction of its budget.

On a processor other programs make it busy; what the worker does there is seen by its own time.
"""


@dataclass(frozen=True)
class IdleProbe:
    """A probe of one device."""

    probe: Callable[[], None]
    """A small computation on it, which returns when it is finished."""
    limit_s: float
    """What it takes at most on a device that is idle."""
    allowed_s: float
    """How long the device may be found busy in a whole trial of a short budget."""

    @classmethod
    def measure(cls, probe: Callable[[], None], device: str) -> Self:
        """Learn how long the probe takes here; no worker has been started yet.

        Args:
            probe: as above.
            device: what it runs on.
        """
        probe()  # the first may compile
        idle_s = max(_seconds(probe) for _ in range(REPEATS))
        kind = device.partition(":")[0]
        return cls(probe, FACTOR * idle_s + SLACK_S[kind], ALLOWED_S[kind])

    def busy_s(self) -> float:
        """How long it takes until the device is idle: 0 if it is, about a second at most."""
        start_s, waited_s = time.monotonic(), 0.0
        while waited_s < PATIENCE_S and _seconds(self.probe) > self.limit_s:
            waited_s = time.monotonic() - start_s
        return waited_s

    def why_too_long(self, busy_s: float, budget_s: float) -> str | None:
        """Why so many busy seconds are too many for a trial of a budget; None if they are not."""
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
