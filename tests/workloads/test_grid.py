"""The points of a grid."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.spec import Grid

GRIDS = st.builds(Grid, first=st.floats(0.001, 1.0), ratio=st.floats(1.005, 2.0))


@given(GRIDS)
def test_each_point_is_a_ratio_after_the_one_before_and_the_last_is_the_end(grid: Grid) -> None:
    fractions = [grid.fraction(point) for point in range(1, grid.points + 1)]
    assert fractions[-1] == 1.0
    assert all(0.0 < b / a - 1.0 <= (grid.ratio - 1.0) * 1.001 for a, b in pairwise(fractions))


@given(GRIDS, st.floats(0.0, 1.0))
def test_the_last_point_passed_is_the_last_that_is_not_later(grid: Grid, fraction: float) -> None:
    point = grid.last_point(fraction)
    assert point == 0 or grid.fraction(point) <= fraction
    assert point == grid.points or grid.fraction(point + 1) > fraction


def test_the_declared_grid_has_as_many_points_as_logarithms_say() -> None:
    assert Grid().points == math.ceil(math.log(200) / math.log(1.015)) + 1


def test_an_even_grid_has_points_at_equal_distances() -> None:
    grid = Grid(even=4)
    assert [grid.fraction(point) for point in (1, 2, 3, 4)] == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize("ratio", [1.0, 2.5])
def test_a_ratio_that_makes_no_grid_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match="ratio"):
        Grid(ratio=ratio)
