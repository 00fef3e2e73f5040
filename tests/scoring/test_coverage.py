"""Whether 90 % intervals hold the truth in 90 % of simulated tables."""

import pytest

from .simulated import Plan, coverage, score_coverage

SHORT = [(3, False), (5, True)]
LONG = [(studies, censored) for studies in (3, 5, 10) for censored in (False, True)]


@pytest.mark.parametrize(("studies", "censored"), SHORT)
def test_intervals_of_speedups_cover_on_a_first_look(studies: int, censored: bool) -> None:
    fraction = coverage(Plan(studies=studies, censored=censored), tables=60, draws=300)
    assert 0.8 < fraction < 1


@pytest.mark.slow
@pytest.mark.parametrize(("studies", "censored"), LONG)
def test_intervals_of_speedups_cover_between_85_and_95_percent(
    studies: int, censored: bool
) -> None:
    fraction = coverage(Plan(studies=studies, censored=censored), tables=1500, draws=1000)
    assert 0.85 <= fraction <= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("studies", [3, 5, 10])
def test_intervals_of_scores_cover_where_nothing_is_missed(studies: int) -> None:
    plan = Plan(studies=studies, censored=False, entries=8, workloads=8)
    assert 0.82 <= score_coverage(plan, tables=200, draws=500) <= 0.95
