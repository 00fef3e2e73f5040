"""The error rates in docs/SCORING.md: the records behind them and the sources of equal entries."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from scoring.screening import NOISE

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    import validity_sources

    module: ModuleType = validity_sources
    return module


@pytest.fixture
def checks(sources: ModuleType) -> ModuleType:
    import validity_checks

    module: ModuleType = validity_checks
    return module


def test_noise_of_a_screening_is_that_of_the_recorded_ones(sources: ModuleType) -> None:
    assert round(sources.screening_noise(), 2) == NOISE


def test_the_exact_noise_is_that_of_drawn_studies(sources: ModuleType) -> None:
    source = sources.recorded_screenings()
    drawn = source.draw(np.random.default_rng(0), 1, 20_000)[0]
    logs = np.log(np.minimum(drawn, source.limits[:, None]))
    assert np.sqrt(logs.var(axis=1).mean()) == pytest.approx(sources.screening_noise(), rel=0.02)


def test_a_slower_entry_misses_where_its_time_is_beyond_the_limit(sources: ModuleType) -> None:
    source = sources.recorded_screenings()
    times = sources.table(source, np.random.default_rng(0), (1.0, 50.0), 4)
    assert np.isinf(times.hit[1]).all()
    assert np.isfinite(times.hit[0]).any()


def test_adding_studies_rarely_settles_equal_entries_of_recorded_noise(
    checks: ModuleType, sources: ModuleType
) -> None:
    result = checks.add_studies(sources.recorded_screenings(), 1.0, pairs=300, most=10)
    assert result.settled_fraction <= 0.05


def test_pairs_of_real_runs_use_no_run_twice(checks: ModuleType) -> None:
    pairs = list(checks.recorded_pairs())
    assert len(pairs) >= 10
    seconds = np.concatenate([pair.hit.ravel() for pair in pairs])
    assert len(np.unique(seconds[np.isfinite(seconds)])) == np.isfinite(seconds).sum()
