"""The probe of a device: matrix products, as many as take a while on a GPU.

A GPU that two processes use gives each of them slices of a few milliseconds. A computation that is
over within one says nothing of the other, so the probe takes several; and clocks that have come to
rest rise only under load, so it is sized on a GPU that has been heated.
"""

from __future__ import annotations

import time
from collections.abc import Callable

LEAST_S = {"cpu": 0.0, "cuda": 0.02}
"""How long the probe takes on an idle device of a kind, at least."""
HEATING_S = {"cpu": 0.0, "cuda": 0.2}
SIDE = {"cpu": 64, "cuda": 2048}
"""Rows and columns of the matrices."""


class Products:
    """A fixed number of products, which the first call finds.

    Args:
        multiply: makes so many products of matrices of a side, and waits for the last.
        kind: the device's.
    """

    def __init__(self, multiply: Callable[[int, int], None], kind: str) -> None:
        self._multiply, self._kind = multiply, kind
        self.count = 0
        """How many products a call makes; 0 before the first."""

    def __call__(self) -> None:
        """Make the products; the first call takes longer."""
        if self.count == 0:
            self.count = self._calibrate()
        self._multiply(SIDE[self._kind], self.count)

    def _calibrate(self) -> int:
        side, end_s = SIDE[self._kind], time.perf_counter() + HEATING_S[self._kind]
        self._multiply(side, 1)
        while time.perf_counter() < end_s:
            self._multiply(side, 8)
        count = 1
        while self._seconds(side, count) < LEAST_S[self._kind]:
            count *= 2
        return count

    def _seconds(self, side: int, count: int) -> float:
        start_s = time.perf_counter()
        self._multiply(side, count)
        return time.perf_counter() - start_s
