import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.referee.looks import FAR, NEAR, Look, crossing, next_look, next_place
from harness.referee.parts import Certainty, Measured
from harness.referee.target_search import Evaluate, HeldSnapshot, TargetSearch
from workloads.spec import Grid, Target
from workloads.targets import AnyTarget, BaselineTarget

TARGET = Target(metric="accuracy", direction="maximize", value=0.5)


def held(grid: int, value: float) -> HeldSnapshot:
    return HeldSnapshot(
        grid, step=10 * grid, timed_s=float(grid), examples=0, parameters={"w": np.array(value)}
    )


def measured(
    snapshot: HeldSnapshot,
    until: Certainty = "whole",
    likely: float = math.inf,
    clear: float = math.inf,
) -> Measured:
    """What is farther from the target than `likely` is seen on a part of the split, where the
    metric is 0.01 lower; so are misses by more than `clear`.
    """
    value = float(snapshot.parameters["w"])
    missing = TARGET.value - value
    if until != "whole" and missing > clear:
        return Measured(value - 0.01, "clear")
    if until == "likely" and abs(missing) > likely:
        return Measured(value - 0.01, "likely")
    return Measured(value)


def observe(
    values: Sequence[float],
    kept: int,
    *,
    limit_s: float = math.inf,
    grid: Grid | None = None,
    target: AnyTarget = TARGET,
    evaluate: Evaluate = lambda snapshot, *, until: measured(snapshot, until),
) -> tuple[TargetSearch, list[int]]:
    """A search over a metric's values at each grid point, and what it has evaluated."""
    evaluated = []

    def noted(snapshot: HeldSnapshot, *, until: Certainty) -> Measured:
        evaluated.append(snapshot.grid)
        return evaluate(snapshot, until=until)

    grid = grid or Grid(even=len(values), look_from=1.0, kept=kept)
    search = TargetSearch(grid, target, noted, limit_s)
    for point, value in enumerate(values, start=1):
        if search.is_look_due(point):
            search.look(held(point, value), whole=point == len(values))
        else:
            search.keep(held(point, value))
        if search.hit:
            break
    return search, evaluated


def place_of_hit(search: TargetSearch) -> int | None:
    return search.hit.snapshot.grid if search.hit else None


def test_a_hit_looks_back_for_a_miss_and_a_hit_that_are_neighbours() -> None:
    search, evaluated = observe([0.1] * 6 + [0.6] * 4, kept=5)
    assert search.hit is not None and search.hit.last_miss is not None
    assert (search.hit.snapshot.grid, search.hit.last_miss.at) == (7, 6.0)
    assert evaluated[:2] == [5, 10]
    assert {6, 7} <= set(evaluated)


def test_without_a_target_the_whole_curve_is_evaluated_at_near_looks() -> None:
    """Of a grid from 0.5 % on, each point 1.5 % later: every look at most a point beyond NEAR."""
    grid, unknown = (
        Grid(kept=256),
        BaselineTarget(metric="accuracy", direction="maximize", baseline="adamw", fraction=0.6),
    )
    search, evaluated = observe([0.9] * grid.points, 256, grid=grid, target=unknown)
    fractions = [grid.fraction(point) for point in evaluated]
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
    search, evaluated = observe([0.1, 0.9, 0.1, 0.1, 0.1, 0.1], kept=3)
    assert search.hit is None
    assert evaluated == [3, 6]


def test_a_snapshot_after_the_budget_is_judged_and_no_hit() -> None:
    search, evaluated = observe([0.1] * 9 + [0.6], kept=5, limit_s=9.9)
    assert (search.hit, search.best) == (None, 0.6)
    assert evaluated[:2] == [5, 10]
    assert 9 in evaluated


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
    search, evaluated = observe(values, kept)
    if (hit := search.hit) is None:
        return
    place = hit.snapshot.grid
    assert values[place - 1] >= 0.5
    assert place in evaluated
    if hit.last_miss is not None:
        assert hit.last_miss == Look(place - 1, values[place - 2])
        assert place - 1 in evaluated


@given(st.integers(2, 400), st.data())
def test_a_search_takes_few_evaluations(length: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, length))
    values = [0.9 if point >= first else 0.1 for point in range(1, length + 1)]
    _, evaluated = observe(values, kept=length)
    assert len(evaluated) <= 1 + 2 + math.ceil(math.log2(length))


GRID = Grid()


def learning(at_target: float, slope: float) -> list[float]:
    """A metric that rises with the log of time and meets the target at a fraction of the budget."""
    fractions = [GRID.fraction(point) for point in range(1, GRID.points + 1)]
    return [0.5 + slope * math.log(x / at_target) for x in fractions]


@given(st.floats(0.04, 1.0), st.floats(0.01, 1.0))
def test_a_steady_learner_trains_little_beyond_its_hit(at_target: float, slope: float) -> None:
    search, evaluated = observe(learning(at_target, slope), 64, grid=GRID)
    if search.hit is None:
        return
    outcome, look = search.outcome(), max(evaluated)
    assert GRID.fraction(look) <= 1.13 * GRID.fraction(search.hit.snapshot.grid)
    assert outcome.last_miss_s is not None and outcome.time_to_target_s is not None
    assert outcome.last_miss_s < outcome.time_to_target_s <= float(search.hit.snapshot.grid)
    assert len(evaluated) <= 16


@given(st.lists(st.floats(allow_nan=True), min_size=1, max_size=9))
def test_the_next_look_is_bounded_whatever_the_values(values: list[float]) -> None:
    misses = [Look(0.03 * 1.2**n, value) for n, value in enumerate(values)]
    ratio = next_look(misses, TARGET) / misses[-1].at
    assert NEAR * 0.999 <= ratio <= FAR * 1.001


def test_a_metric_that_stands_still_is_looked_at_seldom() -> None:
    misses = [Look(0.1, 0.2), Look(0.2, 0.2), Look(0.3, 0.19)]
    assert next_look(misses, TARGET) == pytest.approx(FAR * 0.3)


@given(st.floats(1e-3, 1e3), st.floats(1.0001, 2.0), st.floats(-1.0, 0.4999), st.floats(0.5, 2.0))
def test_a_crossing_lies_between_miss_and_hit(
    at: float, ratio: float, miss: float, hit: float
) -> None:
    crossed = crossing(Look(at, miss), Look(at * ratio, hit), TARGET)
    assert at * 0.999999 <= crossed <= at * ratio


def test_a_crossing_is_linear_in_the_log_of_time() -> None:
    assert crossing(Look(1.0, 0.4), Look(4.0, 0.6), TARGET) == pytest.approx(2.0)
    assert crossing(None, Look(4.0, 0.6), TARGET) == 4.0


@given(st.lists(st.floats(0.1, 9.0), min_size=3, max_size=50, unique=True), st.data())
def test_what_is_evaluated_next_lies_between(times: list[float], data: st.DataObject) -> None:
    times = sorted(times)
    low = data.draw(st.integers(-1, len(times) - 3))
    high = data.draw(st.integers(low + 2, len(times) - 1))
    expected_s = data.draw(st.none() | st.floats(0.0, 10.0))
    assert low < next_place(times, low, high, expected_s) < high


def test_a_search_goes_on_from_its_state() -> None:
    whole, _ = observe(learning(0.3, 0.1), 64, grid=GRID)
    first = TargetSearch(GRID, TARGET, lambda s, *, until: measured(s, until))
    for point, value in enumerate(learning(0.3, 0.1), start=1):
        is_look = first.is_look_due(point)
        (first.look if is_look else first.keep)(held(point, value))
        if first.hit:
            break
        if is_look:
            state, first = (
                first.state(),
                TargetSearch(GRID, TARGET, lambda s, *, until: measured(s, until)),
            )
            first.resume(type(state).model_validate_json(state.model_dump_json()))
    assert first.outcome() == whole.outcome()
    again = TargetSearch(GRID, TARGET, lambda *_, **__: Measured(0.0))
    again.resume(first.state())
    assert again.outcome() == whole.outcome()


def by_parts(likely: float, clear: float) -> Evaluate:
    return lambda snapshot, *, until: measured(snapshot, until, likely, clear)


CLAIMS = st.lists(st.none() | st.floats(0.0, 1.0), min_size=80, max_size=80)
"""What parts make likely, point by point, true or not; None for nothing."""


def claimed(claims: Sequence[float | None]) -> Evaluate:
    def evaluate(snapshot: HeldSnapshot, *, until: Certainty) -> Measured:
        claim = claims[snapshot.grid - 1] if until == "likely" else None
        return measured(snapshot) if claim is None else Measured(claim, "likely")

    return evaluate


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=80), CLAIMS, st.integers(1, 90))
def test_a_hit_and_the_miss_before_it_are_of_the_whole_split_whatever_parts_say(
    values: list[float], claims: list[float | None], kept: int
) -> None:
    search, evaluated = observe(values, kept, evaluate=claimed(claims))
    if (hit := search.hit) is None:
        return
    place = hit.snapshot.grid
    assert hit.value == values[place - 1] >= 0.5
    assert hit.last_miss == (Look(place - 1, values[place - 2]) if place > 1 else None)
    assert place == 1 or values[place - 2] < 0.5
    assert max(map(evaluated.count, evaluated)) <= 2


@given(st.integers(1, 60), CLAIMS, st.integers(1, 70), st.integers(1, 60))
def test_a_monotone_curve_is_found_exactly_whatever_parts_say(
    length: int, claims: list[float | None], kept: int, first: int
) -> None:
    values = [0.9 if point >= first else 0.1 for point in range(1, length + 1)]
    search, _ = observe(values, kept, evaluate=claimed(claims))
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
    search.keep(held(1, 0.4))
    search.look(held(2, 0.45))
    assert not search.is_settled
    search.look(held(3, 0.6), whole=True)
    assert search.hit is not None and search.hit.last_miss == Look(2.0, 0.45)
    search = TargetSearch(grid, TARGET, by_parts(0.02, 0.2))
    search.keep(held(1, 0.6))
    search.look(held(2, 0.1))
    search.look(held(3, 0.6), whole=True)
    assert search.hit is not None and search.hit.last_miss == Look(2.0, 0.1)


def test_a_hit_that_was_only_likely_is_none_if_the_whole_split_misses() -> None:
    claims = [0.1, 0.6, 0.1, 0.1]
    search, evaluated = observe([0.1] * 4, 9, grid=Grid(even=4, look_from=0.5, kept=9),
                                evaluate=claimed(claims))  # fmt: skip
    assert search.hit is None
    assert evaluated[:3] == [2, 1, 2]
    assert search.best == 0.1


def test_a_clear_miss_is_evaluated_whole_if_the_next_snapshot_hits() -> None:
    search, evaluated = observe([0.1, 0.1, 0.2, 0.6, 0.7], 2, evaluate=by_parts(0.1, 0.1))
    assert search.hit is not None
    assert search.hit.last_miss == Look(3.0, 0.2)
    assert evaluated == [2, 3, 4, 3]


def test_a_clear_miss_that_turns_out_to_hit_stays_a_miss() -> None:
    """Of the whole split the metric is 0.55 at the second look; a part has said 0.1."""

    def evaluate(snapshot: HeldSnapshot, *, until: Certainty) -> Measured:
        is_wrong = until != "whole" and snapshot.grid == 2
        return Measured(0.1, "clear") if is_wrong else measured(snapshot)

    search = TargetSearch(Grid(even=4, look_from=1.0, kept=2), TARGET, evaluate)
    for point, value in enumerate([0.1, 0.55, 0.6], start=1):
        search.look(held(point, value))
    assert search.outcome()[:5] == (3.0, 2.0, 0.55, 3.0, 0.6)


def test_what_a_whole_split_says_is_the_best_whatever_parts_said() -> None:
    search = TargetSearch(Grid(even=3, look_from=1.0, kept=2), TARGET, by_parts(0.1, 0.1))
    search.look(held(1, 0.39))
    assert search.best == pytest.approx(0.38)
    search.look(held(3, 0.3), whole=True)
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
        search.look(held(point, value))
        assert not search.is_settled
    search.look(held(12, 0.2), whole=True)
    assert search.is_settled
    again = TargetSearch(GRID, TARGET, lambda *_, **__: Measured(0.0))
    again.resume(type(state := search.state()).model_validate_json(state.model_dump_json()))
    assert (again.best, again.state()) == (0.2, state)
