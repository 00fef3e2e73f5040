"""The worker's view of the budget: its own clock between two messages of the referee's."""

from __future__ import annotations

import time
from array import array


class WorkerBudget:
    """Implements `harness.submission.interface.BudgetView`.

    Args:
        runtime_s: the whole budget in seconds.
        steps: the whole budget in steps, or None; with it the share does not depend on speed.
    """

    def __init__(self, runtime_s: float, steps: int | None) -> None:
        self._runtime_s = runtime_s
        self._steps = steps
        self._base = 0.0
        self._since_s = time.monotonic()
        self._share = 0.0
        self.readings = array("d")
        """Every share that was read, in order: what a submission may have gone by."""

    @property
    def share(self) -> float:
        """The share of the budget spent when it was last read."""
        return self._share

    def progress(self, horizon: float) -> float:
        """The share of a horizon (itself a share of the budget) spent, at most 1."""
        return min(1.0, self._share / horizon)

    def go(self, share: float) -> None:
        """The referee's clock runs on from a share."""
        self._base = self._share = share
        self._since_s = time.monotonic()

    def read(self, step: int) -> None:
        """Read the clock (or count the steps made), once before each step."""
        if self._steps is None:
            self._share = self._base + (time.monotonic() - self._since_s) / self._runtime_s
        else:
            self._share = step / self._steps
        self.readings.append(self._share)

    def forget(self) -> None:
        """What was read in the warm-up has never been."""
        self._share, self.readings = 0.0, array("d")

    def replay(self, readings: array[float]) -> None:
        """Take back the readings of an earlier life; the last one is the current share again."""
        self.readings = readings
        if readings:
            self._share = readings[-1]
