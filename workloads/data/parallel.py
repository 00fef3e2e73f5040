"""Process parts of an array in threads, each with single-threaded BLAS.

A BLAS that spreads every small product over all cores waits for the slowest core, which on a busy
machine costs ten times what it gains. Here each core works on its own parts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

MOST_THREADS = 8


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Limit numpy's matrix operations to one thread each."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield


def for_each_part(work: Callable[[slice], None], count: int, part: int) -> None:
    """Call `work` in threads with consecutive slices of `part` items that cover `count` items."""
    threads = min(MOST_THREADS, len(os.sched_getaffinity(0)))
    slices = [slice(start, min(start + part, count)) for start in range(0, count, part)]
    with single_threaded_blas(), ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, slices):
            # Consuming the results re-raises exceptions.
            pass
