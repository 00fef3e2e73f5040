"""The referee's clock: monotonic, and stopped while the worker is frozen.

Every second of an attempt belongs to exactly one entry, so the entries sum to its wall time:

    timed           the worker trains, loads, submits its snapshot, or is slow to freeze
    frozen          it is frozen, and no other entry has the time
    idle            it is not, and no other entry has the time
    prepare, setup, warm_up, snapshot_copy, evaluation, ...     accounted by name

Time in nested entries counts for the innermost one; timed seconds count for no other entry.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


class Clock:
    """Accounts an attempt's seconds: timed ones, and all others by name.

    Args:
        start_s: when the attempt began, by `time.monotonic`; the time until now is preparation.
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
        """Continue from the clock in the last checkpoint of a referee that died.

        The loading that this referee has timed was already timed before that checkpoint; it now
        counts as restoring. Its other entries are added.
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
        """Start the clock: the worker may train from now on."""
        self._turn()
        self._is_running, self._rest = True, "idle"

    def stop(self) -> float:
        """Stop the clock, as the snapshot is complete; returns the timed seconds so far."""
        self._turn()
        self._is_running = False
        return self._timed_s

    def mark_frozen(self) -> None:
        """Note that the worker is frozen until the clock starts again."""
        self._turn()
        self._rest = "frozen"

    def charge(self, name: str, seconds: float) -> None:
        """Move seconds of an entry to the timed ones."""
        self._others_s[name] -= seconds
        self._timed_s += seconds

    @property
    def timed_s(self) -> float:
        """The timed seconds so far, including the running ones."""
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
        """Add the seconds since the last change to the entry that they belong to."""
        now_s = time.monotonic()
        seconds, self._since_s = now_s - self._since_s, now_s
        if self._is_running:
            self._timed_s += seconds
        else:
            self._others_s[self._within[-1] if self._within else self._rest] += seconds
