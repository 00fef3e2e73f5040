"""`benchmarks/engines.py` sees a difference that there is, and none that is not."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from harness.providers.table import EXECUTORS, SANDBOXES

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "engines.py"


@pytest.fixture(scope="module")
def engines() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(SCRIPT)))


def test_noise_that_rounds_share_is_no_difference(engines: SimpleNamespace) -> None:
    base = np.array([3.0, 6.1, 2.9, 4.4])  # what the machine does in a round, all ways meet with
    result = engines.ratio(base * [1.01, 0.985, 1.0, 1.008], base)
    assert result.holds_one
    assert result.high - result.low < 0.04


def test_a_way_that_takes_a_tenth_longer_is_seen(engines: SimpleNamespace) -> None:
    base = [3.0, 3.3, 2.9, 3.1]
    slower = [1.1 * 3.0, 1.12 * 3.3, 1.08 * 2.9, 1.1 * 3.1]
    result = engines.ratio(slower, base)
    assert not result.holds_one
    assert result.mean == pytest.approx(1.1, rel=0.01)


def test_an_interval_among_many_is_wider(engines: SimpleNamespace) -> None:
    times, base = [3.1, 3.4, 3.0, 3.3], [3.0, 3.3, 2.9, 3.1]
    alone, among = engines.ratio(times, base), engines.ratio(times, base, comparisons=6)
    assert alone.mean == among.mean
    assert among.low < alone.low < alone.high < among.high


def test_every_way_names_an_executor_and_a_sandbox_that_there_is(engines: SimpleNamespace) -> None:
    assert {way.executor for way in engines.WAYS.values()} == set(EXECUTORS.shipped_values)
    assert {way.sandbox for way in engines.WAYS.values()} == set(SANDBOXES.shipped_values)
