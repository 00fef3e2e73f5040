"""The rules of looks: how far apart they are, where the crossing lies, what is searched next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.referee.looks import FAR, NEAR, Look, crossing, next_look, next_place

from .searches import TARGET


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
