"""A search that evaluates parts of the split: what decides, and what is evaluated whole."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.referee.looks import Look
from harness.referee.parts import Certainty, Measurement
from harness.referee.target_search import Evaluate, HeldSnapshot, TargetSearch
from workloads.spec import Grid

from .searches import GRID, TARGET, learning, measure, observe, place_of_hit, snapshot_at


def by_parts(likely: float, clear: float) -> Evaluate:
    return lambda snapshot, *, until: measure(snapshot, until, likely, clear)


CLAIMS = st.lists(st.none() | st.floats(0.0, 1.0), min_size=80, max_size=80)
"""What parts make likely, point by point, true or not; None for nothing."""


def evaluate_as(claims: Sequence[float | None]) -> Evaluate:
    def evaluate(snapshot: HeldSnapshot, *, until: Certainty) -> Measurement:
        claim = claims[snapshot.grid - 1] if until == "likely" else None
        return measure(snapshot) if claim is None else Measurement(claim, "likely")

    return evaluate


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=80), CLAIMS, st.integers(1, 90))
def test_a_hit_and_the_miss_before_it_are_of_the_whole_split_whatever_parts_say(
    values: list[float], claims: list[float | None], kept: int
) -> None:
    search, points = observe(values, kept, evaluate=evaluate_as(claims))
    if (hit := search.hit) is None:
        return
    place = hit.snapshot.grid
    assert hit.value == values[place - 1] >= 0.5
    assert hit.last_miss == (Look(place - 1, values[place - 2]) if place > 1 else None)
    assert place == 1 or values[place - 2] < 0.5
    assert max(map(points.count, points)) <= 2


@given(st.integers(1, 60), CLAIMS, st.integers(1, 70), st.integers(1, 60))
def test_a_monotone_curve_is_found_exactly_whatever_parts_say(
    length: int, claims: list[float | None], kept: int, first: int
) -> None:
    values = [0.9 if point >= first else 0.1 for point in range(1, length + 1)]
    search, _ = observe(values, kept, evaluate=evaluate_as(claims))
    assert place_of_hit(search) == (first if first <= length else None)


@given(st.floats(0.04, 1.0), st.floats(0.05, 1.0))
def test_parts_move_no_time_of_a_steady_learner(at_target: float, slope: float) -> None:
    values = learning(at_target, slope)
    (whole, _), (parts, _) = (
        observe(values, 256, grid=GRID, evaluate=by_parts(*margins))
        for margins in ((math.inf, math.inf), (0.02, 0.05))
    )
    assert parts.outcome()[:7] == whole.outcome()[:7]


def test_a_likely_miss_keeps_what_waits_and_a_clear_one_does_not() -> None:
    grid = Grid(even=9, look_from=1.0, kept=9)
    search = TargetSearch(grid, TARGET, by_parts(0.02, 0.2))
    search.keep(snapshot_at(1, 0.4))
    search.look(snapshot_at(2, 0.45))
    assert not search.is_settled
    search.look(snapshot_at(3, 0.6), whole=True)
    assert search.hit is not None and search.hit.last_miss == Look(2.0, 0.45)
    search = TargetSearch(grid, TARGET, by_parts(0.02, 0.2))
    search.keep(snapshot_at(1, 0.6))
    search.look(snapshot_at(2, 0.1))
    search.look(snapshot_at(3, 0.6), whole=True)
    assert search.hit is not None and search.hit.last_miss == Look(2.0, 0.1)


def test_a_hit_that_was_only_likely_is_none_if_the_whole_split_misses() -> None:
    claims = [0.1, 0.6, 0.1, 0.1]
    search, points = observe([0.1] * 4, 9, grid=Grid(even=4, look_from=0.5, kept=9),
                                evaluate=evaluate_as(claims))  # fmt: skip
    assert search.hit is None
    assert points[:3] == [2, 1, 2]
    assert search.best == 0.1


def test_a_clear_miss_is_evaluated_whole_if_the_next_snapshot_hits() -> None:
    search, points = observe([0.1, 0.1, 0.2, 0.6, 0.7], 2, evaluate=by_parts(0.1, 0.1))
    assert search.hit is not None
    assert search.hit.last_miss == Look(3.0, 0.2)
    assert points == [2, 3, 4, 3]


def test_a_clear_miss_that_turns_out_to_hit_stays_a_miss() -> None:
    """Of the whole split the metric is 0.55 at the second look; a part has said 0.1."""

    def evaluate(snapshot: HeldSnapshot, *, until: Certainty) -> Measurement:
        is_wrong = until != "whole" and snapshot.grid == 2
        return Measurement(0.1, "clear") if is_wrong else measure(snapshot)

    search = TargetSearch(Grid(even=4, look_from=1.0, kept=2), TARGET, evaluate)
    for point, value in enumerate([0.1, 0.55, 0.6], start=1):
        search.look(snapshot_at(point, value))
    assert search.outcome()[:5] == (3.0, 2.0, 0.55, 3.0, 0.6)


def test_what_a_whole_split_says_is_the_best_whatever_parts_said() -> None:
    search = TargetSearch(Grid(even=3, look_from=1.0, kept=2), TARGET, by_parts(0.1, 0.1))
    search.look(snapshot_at(1, 0.39))
    assert search.best == pytest.approx(0.38)
    search.look(snapshot_at(3, 0.3), whole=True)
    assert search.best == 0.3


def test_a_snapshot_that_may_have_to_be_completed_is_kept_and_counted() -> None:
    """Of four in memory one is the last look's: two wait, and the next is looked at."""
    _, whole = observe([0.1] * 9, 4)
    _, parts = observe([0.1] * 9, 4, evaluate=by_parts(0.1, 0.1))
    assert (whole, parts) == ([4, 8, 9], [4, 7, 9])


def test_where_one_snapshot_is_all_that_may_be_held_each_is_evaluated_whole() -> None:
    search, _ = observe([0.1, 0.2, 0.6], 1, evaluate=by_parts(0.1, 0.1))
    assert search.hit is not None and search.hit.last_miss == Look(2.0, 0.2)


def test_a_look_at_the_whole_split_needs_no_snapshot_any_more() -> None:
    search = TargetSearch(GRID, TARGET, by_parts(0.01, 0.1))
    for point, value in ((5, 0.1), (9, 0.45)):
        search.look(snapshot_at(point, value))
        assert not search.is_settled
    search.look(snapshot_at(12, 0.2), whole=True)
    assert search.is_settled
    again = TargetSearch(GRID, TARGET, lambda *_, **__: Measurement(0.0))
    again.resume(type(state := search.state()).model_validate_json(state.model_dump_json()))
    assert (again.best, again.state()) == (0.2, state)
