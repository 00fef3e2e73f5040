"""A device whose work is queued and finishes late, as a GPU's does, whoever is frozen meanwhile.

It is a file with two numbers: the instant at which all queued work will be done, and the seconds of
work queued so far. Several processes may use it; work is done in the order of its coming.
"""

from __future__ import annotations

import fcntl
import time
from pathlib import Path

DEPTH_S = 0.3
"""More than so much is not queued: whoever brings it waits."""


class Device:
    """One process's handle of the device."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._path.touch()

    def queue(self, seconds: float) -> None:
        """Queue work; returns at once unless the queue is full."""
        with self._path.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            done_s, worked_s = map(float, file.read().split() or ("0", "0"))
            done_s = max(done_s, time.monotonic()) + seconds
            file.seek(0)
            file.write(f"{done_s!r} {worked_s + seconds!r}")
            file.truncate()
        time.sleep(max(0.0, done_s - time.monotonic() - DEPTH_S))

    def wait(self) -> None:
        """Return when everything queued is done."""
        time.sleep(max(0.0, self._read()[0] - time.monotonic()))

    def probe(self) -> None:
        """A small piece of work, until it is done."""
        self.queue(0.001)
        self.wait()

    @property
    def is_idle(self) -> bool:
        """Whether all work is done."""
        return self._read()[0] <= time.monotonic()

    @property
    def worked_s(self) -> float:
        """The seconds of all work so far."""
        return self._read()[1]

    def _read(self) -> tuple[float, float]:
        with self._path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            done_s, worked_s = map(float, file.read().split() or ("0", "0"))
        return done_s, worked_s
