"""The referee's clock: monotonic, its own, and stopped while the worker is frozen.

Every second of an attempt is in one entry, so that the entries sum to its wall time:

    timed           the worker trains, loads, hands its snapshot over, or is slow to freeze
    frozen          it is frozen, and no other entry has the time
    idle            it is not, and no other entry has the time
    prepare, setup, warm_up, snapshot_copy, evaluation, ...     accounted by name

Of entries within each other the innermost has the time; what is timed is in no other.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Clock:
    """Timed seconds, and the seconds of everything else by name.

    Args:
        start_s: when the attempt began, by `time.monotonic`; up to now it was prepared.
    """

    def __init__(self, start_s: float | None = None) -> None:
        self._since_s = time.monotonic()
        self._timed_s = 0.0
        self._is_running = False
        self._rest = "idle"
        self._within: list[str] = []
        self._others_s: defaultdict[str, float] = defaultdict(float)
        if start_s is not None:
            self._others_s["prepare"] = self._since_s - start_s

    def resume(self, timed_s: float, others_s: Mapping[str, float]) -> None:
        """Go on from what a dead referee's clock showed at its last checkpoint.

        What this referee has timed, the load, happened before that checkpoint and is in it: here
        it was part of restoring. What it has accounted elsewhere comes on top.
        """
        self._turn()
        self._others_s["restore"] += self._timed_s
        self._timed_s = timed_s
        for name, seconds in others_s.items():
            self._others_s[name] += seconds

    def others(self) -> dict[str, float]:
        """All entries but the timed one, in seconds."""
        self._turn()
        return dict(self._others_s)

    def start(self) -> None:
        """The worker may train from now on."""
        self._turn()
        self._is_running, self._rest = True, "idle"

    def stop(self) -> float:
        """The worker's snapshot is complete; returns the timed seconds so far."""
        self._turn()
        self._is_running = False
        return self._timed_s

    def mark_frozen(self) -> None:
        """The worker is frozen from now on, until the clock starts."""
        self._turn()
        self._rest = "frozen"

    def charge(self, name: str, seconds: float) -> None:
        """Have seconds of an entry count as timed."""
        self._others_s[name] -= seconds
        self._timed_s += seconds

    @property
    def timed_s(self) -> float:
        """The timed seconds so far, those that are running included."""
        running_s = time.monotonic() - self._since_s if self._is_running else 0.0
        return self._timed_s + running_s

    @contextmanager
    def account(self, name: str) -> Iterator[None]:
        """Add the seconds of a block to an entry other than the timed one."""
        self._turn()
        self._within.append(name)
        try:
            yield
        finally:
            self._turn()
            self._within.pop()

    def entries(self) -> dict[str, float]:
        """All entries in seconds: `timed` and the others."""
        others_s = self.others()
        return {"timed_s": self.timed_s} | {f"{k}_s": v for k, v in others_s.items()}

    def _turn(self) -> None:
        """Give the seconds since the last turn to the entry that they belong to."""
        now_s = time.monotonic()
        seconds, self._since_s = now_s - self._since_s, now_s
        if self._is_running:
            self._timed_s += seconds
        else:
            self._others_s[self._within[-1] if self._within else self._rest] += seconds
