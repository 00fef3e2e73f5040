"""Whether 90 % intervals hold the truth in 90 % of simulated tables."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SHORT = [(3, False), (5, True)]
LONG = [(studies, censored) for studies in (3, 5, 10) for censored in (False, True)]


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that makes the page's table."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("validity_coverage")


@pytest.mark.parametrize(("studies", "censored"), SHORT)
def test_intervals_of_speedups_cover_on_a_first_look(
    simulation: ModuleType, studies: int, censored: bool
) -> None:
    plan = simulation.Plan(studies=studies, censored=censored)
    assert 0.8 < simulation.coverage(plan, tables=60, draws=300) < 1


@pytest.mark.slow
@pytest.mark.parametrize(("studies", "censored"), LONG)
def test_intervals_of_speedups_cover_between_85_and_95_percent(
    simulation: ModuleType, studies: int, censored: bool
) -> None:
    plan = simulation.Plan(studies=studies, censored=censored)
    assert 0.85 <= simulation.coverage(plan, tables=1500, draws=1000) <= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("studies", [3, 5, 10])
def test_intervals_of_scores_cover_where_nothing_is_missed(
    simulation: ModuleType, studies: int
) -> None:
    plan = simulation.Plan(studies=studies, censored=False, entries=8, workloads=8)
    assert 0.82 <= simulation.score_coverage(plan, tables=200, draws=500) <= 0.95
