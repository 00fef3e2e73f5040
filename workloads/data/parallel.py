"""Work on parts of an array in threads, each with a single-threaded BLAS.

A BLAS that spreads every small product over all cores waits for the slowest of them; on a busy
machine that costs ten times what it gains. Here each core takes parts of its own.
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
    """Let numpy's matrix operations use one thread each."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield


def for_each_part(work: Callable[[slice], None], count: int, part: int) -> None:
    """Call `work` with consecutive slices of `part` items that cover `count`, in threads."""
    threads = min(MOST_THREADS, len(os.sched_getaffinity(0)))
    slices = [slice(start, min(start + part, count)) for start in range(0, count, part)]
    with single_threaded_blas(), ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, slices):
            # Taking each result raises what a part raised.
            pass
