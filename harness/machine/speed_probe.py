"""The speed probe: a fixed piece of work whose time shows the machine's current speed.

Each thread computes matrix products, as training does, and copies more than fits into a cache. It
runs before and after each trial, off the clock, while the worker is frozen; a difference shows that
the machine changed in between. It does not measure how fast the machine trains: see
`harness.speed.factor`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

VERSION = 1
"""Times of different versions are not comparable."""
SIDE = 384
PRODUCTS = 16
COPIED_BYTES = 16 * 2**20
COPIES = 2
REPEATS = 5


def speed_probe_s(threads: int, cores: Collection[int] = ()) -> float:
    """The median wall seconds of one round of the work, all threads at once.

    Args:
        threads: how many threads work, as many as the trial's.
        cores: the cores to use; any by default.
    """
    return median(rounds_s(threads, REPEATS, cores))


def rounds_s(threads: int, repeats: int, cores: Collection[int] = ()) -> list[float]:
    """The wall seconds of each round, after one round that is not timed.

    A round takes as long as the slowest of its threads.
    """
    works = [_Work() for _ in range(threads)]

    def keep() -> None:
        if cores:
            os.sched_setaffinity(0, cores)

    with (
        threadpool_limits(limits=1),
        ThreadPoolExecutor(threads, initializer=keep) as pool,
    ):
        times = [max(pool.map(_Work.round_s, works)) for _ in range(repeats + 1)]
    return times[1:]


class _Work:
    """One thread's part of the work."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self._left = random.standard_normal((SIDE, SIDE), dtype=np.float32) / SIDE
        self._right, self._product = self._left.T.copy(), np.empty_like(self._left)
        self._source = np.zeros(COPIED_BYTES, dtype=np.uint8)
        self._copy = np.empty_like(self._source)

    def round_s(self) -> float:
        """One round; its seconds."""
        start_s = time.perf_counter()
        for _ in range(PRODUCTS):
            np.matmul(self._left, self._right, out=self._product)
        for _ in range(COPIES):
            np.copyto(self._copy, self._source)
        return time.perf_counter() - start_s
