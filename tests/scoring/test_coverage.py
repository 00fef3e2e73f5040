"""Whether 90 % intervals hold the truth in 90 % of simulated tables."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
SHORT = [(3, False), (5, True)]
LONG = [(studies, has_misses) for studies in (3, 5, 10) for has_misses in (False, True)]


@pytest.fixture
def simulation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What the page's tables are made with."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("validity_intervals")


@pytest.mark.parametrize(("studies", "has_misses"), SHORT)
def test_intervals_of_speedups_cover_on_a_first_look(
    simulation: ModuleType, studies: int, has_misses: bool
) -> None:
    plan = simulation.Plan(studies=studies, has_misses=has_misses)
    assert 0.8 < simulation.coverage(plan, tables=60, draws=300).at_90 < 1


@pytest.mark.slow
@pytest.mark.parametrize(("studies", "has_misses"), LONG)
def test_intervals_of_speedups_cover_between_85_and_95_percent(
    simulation: ModuleType, studies: int, has_misses: bool
) -> None:
    plan = simulation.Plan(studies=studies, has_misses=has_misses)
    assert 0.85 <= simulation.coverage(plan, tables=1500, draws=1000).at_90 <= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("studies", [3, 5, 10])
def test_intervals_of_scores_cover_where_nothing_is_missed(
    simulation: ModuleType, studies: int
) -> None:
    plan = simulation.Plan(studies=studies, has_misses=False, entries=8, workloads=8)
    assert 0.82 <= simulation.score_coverage(plan, tables=200, draws=500) <= 0.95


def test_intervals_of_added_studies_hold_on_a_first_look(simulation: ModuleType) -> None:
    source = importlib.import_module("validity_sources").LogNormal(4)
    held = simulation.sequence_coverage(source, 1.2, pairs=60, most=8)
    assert 0.9 <= held.every <= held.last <= 1


def test_intervals_of_steps_and_their_cost_hold_on_a_first_look(simulation: ModuleType) -> None:
    plan = simulation.Plan(studies=3, has_misses=False, entries=2, workloads=2)
    seconds, steps, cost = simulation.attribution_coverage(plan, tables=60)
    assert all(0.85 <= fraction <= 1 for fraction in (seconds, steps, cost))


def test_few_boards_of_equal_entries_have_two_ranks(simulation: ModuleType) -> None:
    plan = simulation.Plan(studies=5, has_misses=False, spread=0.0)
    error = simulation.family_error(plan, boards=40, draws=300)
    assert error.by_site_ranks < 0.2
    assert error.by_critical_difference < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("studies", [3, 10])
def test_intervals_of_attributions_cover_where_nothing_is_missed(
    simulation: ModuleType, studies: int
) -> None:
    plan = simulation.Plan(studies=studies, has_misses=False, entries=2)
    assert (abs(simulation.attribution_coverage(plan, tables=1000) - 0.95) < 0.035).all()
