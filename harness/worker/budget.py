"""The worker's view of the budget: its own clock, corrected by the referee's messages."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable


class WorkerBudget:
    """Implements `harness.submission.interface.BudgetView`.

    Args:
        runtime_s: the whole budget in seconds.
        steps: the whole budget in steps, or None; with it the fraction does not depend on speed.
        agree: gives the reading that all ranks use.
    """

    def __init__(
        self, runtime_s: float, steps: int | None, agree: Callable[[float], float] = float
    ) -> None:
        self._runtime_s = runtime_s
        self._steps, self._agree = steps, agree
        self._base = 0.0
        self._since_s = time.monotonic()
        self._fraction = 0.0
        self.readings = array("d")
        """Every fraction that was read, in order, as the submission may have used it."""

    @property
    def fraction(self) -> float:
        """The fraction of the budget spent when it was last read."""
        return self._fraction

    def progress(self, horizon: float) -> float:
        """The fraction of a horizon (itself a fraction of the budget) spent, at most 1."""
        return min(1.0, self._fraction / horizon)

    def go(self, fraction: float) -> None:
        """Continue from a fraction, as the referee's clock does."""
        self._base = self._fraction = fraction
        self._since_s = time.monotonic()

    def read(self, step: int) -> None:
        """Read the clock (or count the steps made), once before each step."""
        if self._steps is None:
            spent_s = time.monotonic() - self._since_s
            self._fraction = self._agree(self._base + spent_s / self._runtime_s)
        else:
            self._fraction = step / self._steps
        self.readings.append(self._fraction)

    def forget(self) -> None:
        """Discard the readings of the warm-up."""
        self._fraction, self.readings = 0.0, array("d")

    def replay(self, readings: array[float]) -> None:
        """Restore the readings of an earlier attempt; the last one becomes the current fraction."""
        self.readings = readings
        if readings:
            self._fraction = readings[-1]
