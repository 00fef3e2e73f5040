import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.referee.target_search import HeldSnapshot, TargetSearch, grid_points
from workloads.spec import Grid, Target

TARGET = Target(metric="accuracy", direction="maximize", value=0.5)


def held_snapshot(grid: int, value: float) -> HeldSnapshot:
    return HeldSnapshot(
        grid, step=10 * grid, timed_s=float(grid), examples=0, parameters={"w": np.array(value)}
    )


def observe(
    values: list[float], every: int, limit_s: float = math.inf
) -> tuple[TargetSearch, list[int]]:
    grids = []

    def evaluate(snapshot: HeldSnapshot) -> float:
        grids.append(snapshot.grid)
        return float(snapshot.parameters["w"])

    fraction = Grid(fraction=1 / len(values), evaluate_every=every)
    search = TargetSearch(fraction, TARGET, evaluate, limit_s)
    for grid, value in enumerate(values, start=1):
        search.add(held_snapshot(grid, value), is_last=grid == len(values))
        if search.hit:
            break
    return search, grids


def test_a_hit_looks_back_for_the_first_snapshot_that_hits() -> None:
    search, grids = observe([0.1] * 6 + [0.6] * 4, every=5)
    assert search.hit is not None
    assert search.hit.snapshot.grid == 7
    assert search.hit.last_miss_s == 6.0
    assert grids == [5, 10, 6, 7]


def test_the_first_interval_is_looked_through_too() -> None:
    search, _ = observe([0.6] * 10, every=5)
    assert search.hit is not None
    assert (search.hit.snapshot.grid, search.hit.last_miss_s) == (1, 0.0)


def test_a_dip_between_two_misses_stays_unseen_for_every_entry() -> None:
    search, grids = observe([0.1, 0.9, 0.1, 0.1, 0.1, 0.1], every=3)
    assert search.hit is None
    assert grids == [3, 6]


def test_a_snapshot_after_the_budget_is_judged_and_no_hit() -> None:
    search, grids = observe([0.1] * 9 + [0.6], every=5, limit_s=9.9)
    assert (search.hit, search.best) == (None, 0.6)
    assert grids == [5, 10, 6, 7, 8, 9]


def test_a_late_snapshot_that_meets_the_target_leads_back_to_a_hit_in_time() -> None:
    search, _ = observe([0.1] * 7 + [0.6] * 3, every=5, limit_s=9.9)
    assert search.hit is not None
    assert (search.hit.snapshot.grid, search.hit.last_miss_s) == (8, 7.0)


def test_a_nan_never_hits() -> None:
    search, _ = observe([float("nan")] * 4, every=2)
    assert search.hit is None
    assert search.best is None


def test_a_grid_of_two_percent_has_fifty_points() -> None:
    assert [grid_points(Grid(fraction=fraction)) for fraction in (0.02, 0.3, 1.0)] == [50, 4, 1]


@given(st.integers(1, 60), st.integers(1, 10), st.integers(1, 60))
def test_a_monotone_curve_is_found_exactly_whatever_k(length: int, every: int, first: int) -> None:
    values = [0.9 if grid >= first else 0.1 for grid in range(1, length + 1)]
    search, _ = observe(values, every)
    hit_grid = search.hit.snapshot.grid if search.hit else None
    assert hit_grid == (first if first <= length else None)
