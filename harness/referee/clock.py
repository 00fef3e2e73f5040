"""The referee's clock: monotonic, its own, and stopped while the worker stands still."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Clock:
    """Timed seconds, and the seconds of everything else by name."""

    def __init__(self) -> None:
        self._timed_s = 0.0
        self._since_s: float | None = None
        self._others_s: defaultdict[str, float] = defaultdict(float)

    def resume(self, timed_s: float, others_s: Mapping[str, float]) -> None:
        """Go on from what a dead referee's clock showed at its last checkpoint.

        What this referee has timed, the load, happened before that checkpoint and is in it. What it
        has accounted elsewhere, such as its own setting up, comes on top.
        """
        self._timed_s = timed_s
        for name, seconds in others_s.items():
            self._others_s[name] += seconds

    def others(self) -> dict[str, float]:
        """All entries but the timed one, in seconds."""
        return dict(self._others_s)

    def start(self) -> None:
        """The worker may train from now on."""
        self._since_s = time.monotonic()

    def stop(self) -> float:
        """The worker's snapshot is complete; returns the timed seconds so far."""
        self._timed_s = self.timed_s
        self._since_s = None
        return self._timed_s

    @property
    def timed_s(self) -> float:
        """The timed seconds so far, those that are running included."""
        running_s = time.monotonic() - self._since_s if self._since_s is not None else 0.0
        return self._timed_s + running_s

    @contextmanager
    def account(self, name: str) -> Iterator[None]:
        """Add the seconds of a block to an entry other than the timed one."""
        start_s = time.monotonic()
        try:
            yield
        finally:
            self._others_s[name] += time.monotonic() - start_s

    def entries(self) -> dict[str, float]:
        """All entries in seconds: `timed` and the accounted ones."""
        return {"timed_s": self.timed_s} | {f"{k}_s": v for k, v in self._others_s.items()}
