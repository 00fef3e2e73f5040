"""The probe of a device's speed: matrix products, enough to take a measurable time on a GPU.

A GPU shared by two processes is time-sliced between them, a few milliseconds each. A computation
shorter than one slice would not reveal the other process, so the probe spans several slices.
Because idle clocks rise only under load, the number of products is chosen on a warmed-up GPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable

LEAST_S = {"cpu": 0.0, "cuda": 0.02}
"""Minimum duration of the probe on an otherwise idle device, by device kind, in seconds."""
HEATING_S = {"cpu": 0.0, "cuda": 0.2}
SIDE = {"cpu": 64, "cuda": 2048}
"""Rows and columns of the matrices."""


class Products:
    """Runs a fixed number of matrix products; the first call determines the number.

    Args:
        multiply: (side, count) runs `count` products of square matrices and waits for the last.
        kind: the device's kind, `cpu` or `cuda`.
    """

    def __init__(self, multiply: Callable[[int, int], None], kind: str) -> None:
        self._multiply, self._kind = multiply, kind
        self.count = 0
        """Products per call; 0 before the first call."""

    def __call__(self) -> None:
        """Run the products; the first call takes longer."""
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
