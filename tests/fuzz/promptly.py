"""A bound on one example's time: what hangs fails, instead of holding the tests up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

LONGEST_S = 60.0
"""Of an example that takes milliseconds; a machine may be loaded."""


@contextmanager
def promptly() -> Iterator[None]:
    """Fail what takes longer; no `except Exception` of what is tried catches that."""
    before = signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, LONGEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _too_long(_: int, __: FrameType | None) -> None:
    pytest.fail(f"hangs: not done after {LONGEST_S:g} s")
