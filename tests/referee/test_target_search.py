"""A search that evaluates whole splits: the hit right after a miss, in few evaluations."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.referee.looks import NEAR, Look
from harness.referee.parts import Measurement
from harness.referee.target_search import TargetSearch
from workloads.spec import Grid
from workloads.targets import BaselineTarget

from .searches import GRID, TARGET, learning, measure, observe, place_of_hit, snapshot_at


def test_a_hit_looks_back_for_a_miss_and_a_hit_that_are_neighbours() -> None:
    search, points = observe([0.1] * 6 + [0.6] * 4, kept=5)
    assert search.hit is not None and search.hit.last_miss is not None
    assert (search.hit.snapshot.grid, search.hit.last_miss.at) == (7, 6.0)
    assert points[:2] == [5, 10]
    assert {6, 7} <= set(points)


def test_without_a_target_the_whole_curve_is_evaluated_at_near_looks() -> None:
    """Of a grid from 0.5 % on, each point 1.5 % later: every look at most a point beyond NEAR."""
    grid, unknown = (
        Grid(kept=256),
        BaselineTarget(metric="accuracy", direction="maximize", baseline="adamw", fraction=0.6),
    )
    search, points = observe([0.9] * grid.points, 256, grid=grid, target=unknown)
    fractions = [grid.fraction(point) for point in points]
    assert search.hit is None
    assert fractions[0] == pytest.approx(grid.look_from, rel=grid.ratio - 1.0)
    assert fractions[-1] == 1.0
    assert all(b / a < NEAR * grid.ratio for a, b in pairwise(fractions))


def test_the_first_interval_is_searched_too() -> None:
    search, _ = observe([0.6] * 10, kept=5)
    assert search.hit is not None
    assert (search.hit.snapshot.grid, search.hit.last_miss) == (1, None)
    assert search.outcome().time_to_target_s == 1.0
    assert search.outcome().last_miss_s == 0.0


def test_a_dip_between_two_misses_stays_unseen_for_every_entry() -> None:
    search, points = observe([0.1, 0.9, 0.1, 0.1, 0.1, 0.1], kept=3)
    assert search.hit is None
    assert points == [3, 6]


def test_a_snapshot_after_the_budget_is_evaluated_and_no_hit() -> None:
    search, points = observe([0.1] * 9 + [0.6], kept=5, limit_s=9.9)
    assert (search.hit, search.best) == (None, 0.6)
    assert points[:2] == [5, 10]
    assert 9 in points


def test_a_late_snapshot_that_meets_the_target_leads_back_to_a_hit_in_time() -> None:
    search, _ = observe([0.1] * 7 + [0.6] * 3, kept=5, limit_s=9.9)
    assert search.hit is not None and search.hit.last_miss is not None
    assert (search.hit.snapshot.grid, search.hit.last_miss.at) == (8, 7.0)


def test_a_nan_never_hits() -> None:
    search, _ = observe([float("nan")] * 4, kept=2)
    assert search.hit is None
    assert search.best is None


def test_a_miss_without_a_number_leaves_the_hits_time() -> None:
    search, _ = observe([float("nan")] * 3 + [0.6], kept=2)
    assert search.outcome()[:5] == (4.0, 3.0, None, 4.0, 0.6)


@given(st.integers(1, 60), st.integers(1, 10), st.integers(1, 60))
def test_a_monotone_curve_is_found_exactly_whatever_waits(
    length: int, kept: int, first: int
) -> None:
    search, _ = observe([0.9 if p >= first else 0.1 for p in range(1, length + 1)], kept)
    assert place_of_hit(search) == (first if first <= length else None)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=80), st.integers(1, 12))
def test_a_hit_and_its_miss_are_neighbours_whatever_the_metric_does(
    values: list[float], kept: int
) -> None:
    search, points = observe(values, kept)
    if (hit := search.hit) is None:
        return
    place = hit.snapshot.grid
    assert values[place - 1] >= 0.5
    assert place in points
    if hit.last_miss is not None:
        assert hit.last_miss == Look(place - 1, values[place - 2])
        assert place - 1 in points


@given(st.integers(2, 400), st.data())
def test_a_search_takes_few_evaluations(length: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, length))
    values = [0.9 if point >= first else 0.1 for point in range(1, length + 1)]
    _, points = observe(values, kept=length)
    assert len(points) <= 1 + 2 + math.ceil(math.log2(length))


@given(st.floats(0.04, 1.0), st.floats(0.01, 1.0))
def test_a_steady_learner_trains_little_beyond_its_hit(at_target: float, slope: float) -> None:
    search, points = observe(learning(at_target, slope), 64, grid=GRID)
    if search.hit is None:
        return
    outcome, look = search.outcome(), max(points)
    assert GRID.fraction(look) <= 1.10 * GRID.fraction(search.hit.snapshot.grid)
    assert outcome.last_miss_s is not None and outcome.time_to_target_s is not None
    assert outcome.last_miss_s < outcome.time_to_target_s <= float(search.hit.snapshot.grid)
    assert len(points) <= 22


def test_a_search_goes_on_from_its_state() -> None:
    whole, _ = observe(learning(0.3, 0.1), 64, grid=GRID)
    first = TargetSearch(GRID, TARGET, lambda s, *, until: measure(s, until))
    for point, value in enumerate(learning(0.3, 0.1), start=1):
        is_look = first.is_look_due(point)
        (first.look if is_look else first.keep)(snapshot_at(point, value))
        if first.hit:
            break
        if is_look:
            state, first = (
                first.state(),
                TargetSearch(GRID, TARGET, lambda s, *, until: measure(s, until)),
            )
            first.resume(type(state).model_validate_json(state.model_dump_json()))
    assert first.outcome() == whole.outcome()
    again = TargetSearch(GRID, TARGET, lambda *_, **__: Measurement(0.0))
    again.resume(first.state())
    assert again.outcome() == whole.outcome()
