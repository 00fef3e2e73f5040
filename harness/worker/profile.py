"""Profiles a few more steps after the trial's end.

The device is synchronised around each part, which timed steps never do. Profiling is therefore done
off the clock, after the trial, and its result is the worker's claim.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from harness.protocol.messages import Profiled
from harness.submission.interface import Stream, Submission
from harness.submission.state import ArrayT

P = ParamSpec("P")
R = TypeVar("R")
Place = tuple[object, str]
"""A function, as its owner and its attribute name."""


class Stopwatch:
    """Adds up the seconds of calls; nested calls count once.

    Args:
        synchronize: waits until the device is idle.
    """

    def __init__(self, synchronize: Callable[[], None]) -> None:
        self._synchronize, self._is_running = synchronize, False
        self.seconds, self.calls = 0.0, 0

    def wrap(self, places: Iterable[Place]) -> None:
        """Time these functions from now on."""
        for owner, name in places:
            setattr(owner, name, self._wrap(getattr(owner, name)))

    def _wrap(self, function: Callable[P, R]) -> Callable[P, R]:
        def wrapper(*arguments: P.args, **keywords: P.kwargs) -> R:
            if self._is_running:
                return function(*arguments, **keywords)
            self._synchronize()
            self._is_running, start_s = True, time.perf_counter()
            try:
                return function(*arguments, **keywords)
            finally:
                self._synchronize()
                self._is_running = False
                self.seconds += time.perf_counter() - start_s
                self.calls += 1

        return wrapper


def profile_steps(
    submission: Submission[ArrayT],
    stream: Stream[ArrayT],
    passes: Iterable[Place],
    synchronize: Callable[[], None],
    limits: tuple[int, float],
    *,
    agree: Callable[[float], float],
) -> Profiled:
    """Make some steps and time their data and their passes; the rest is the update.

    Args:
        submission: makes the steps.
        stream: the training batches, in which data are timed.
        passes: the functions that make forward and backward passes.
        synchronize: waits until the device is idle.
        limits: the number of steps, and the seconds after which no further one begins.
        agree: gives the seconds that all ranks use.
    """
    data, both, steps = Stopwatch(synchronize), Stopwatch(synchronize), 0
    data.wrap([(stream, "next")])
    both.wrap(passes)
    synchronize()
    start_s = time.perf_counter()
    while steps < limits[0] and agree(time.perf_counter() - start_s) < limits[1]:
        submission.step(stream)
        steps += 1
    synchronize()
    return Profiled(
        steps=steps,
        steps_s=time.perf_counter() - start_s,
        data_s=data.seconds,
        passes_s=both.seconds if both.calls else None,
    )
