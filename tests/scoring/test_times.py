import numpy as np
import pandas as pd
import pytest

from harness.core.errors import HarnessError
from scoring.evaluate import score_table
from scoring.rules import Rules
from scoring.times import from_table, read_numbers

ROWS = [("a", "w", "study_0", 1.0), ("b", "w", "study_0", 2.0), ("b", "w", "study_1", np.inf)]
COLUMNS = ["submission", "workload", "study", "time_to_target_s"]


def table(rows: list[tuple[str, str, str, float]] = ROWS) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS)


def test_a_table_becomes_an_array_with_nan_where_there_is_no_study() -> None:
    times = from_table(table())
    assert (times.submissions, times.workloads) == (("a", "b"), ("w",))
    np.testing.assert_array_equal(times.hit[:, 0], [[1.0, np.nan], [2.0, np.inf]])


def test_equal_rows_count_once() -> None:
    doubled = from_table(pd.concat([table(), table()]))
    np.testing.assert_array_equal(doubled.hit, from_table(table()).hit)


def test_two_rows_of_one_study_that_differ_are_refused() -> None:
    with pytest.raises(HarnessError, match=r"two rows of one study differ: 1\.0 and 3\.0 in a/w"):
        from_table(table([*ROWS, ("a", "w", "study_0", 3.0)]))


def test_a_negative_time_is_refused() -> None:
    with pytest.raises(HarnessError, match=r"negative: -1\.0 in a/w/study_0"):
        from_table(table([("a", "w", "study_0", -1.0)]))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(HarnessError, match="lacks the column"):
        from_table(table().drop(columns="study"))


def test_steps_of_a_study_that_did_not_reach_are_infinite() -> None:
    frame = table().assign(step_at_target=[10.0, 20.0, np.nan])
    assert from_table(frame, "step_at_target").hit[1, 0].tolist() == [20.0, np.inf]


def test_texts_become_numbers_to_the_last_bit() -> None:
    text = pd.DataFrame({"time_to_target_s": ["0.1000000000000000055511151231257827", "inf", ""]})
    numbers = read_numbers(text, ["time_to_target_s"])["time_to_target_s"]
    np.testing.assert_array_equal(numbers, [0.1, np.inf, np.nan])


def test_a_text_that_is_no_number_is_refused() -> None:
    with pytest.raises(HarnessError, match="'soon'"):
        read_numbers(pd.DataFrame({"time_to_target_s": ["soon"]}), ["time_to_target_s"])


def test_steps_are_a_clock_of_their_own() -> None:
    frame = table(ROWS[:2]).assign(step_at_target=[30.0, 20.0])
    assert score_table(frame, Rules(), "seconds").order() == [0, 1]
    assert score_table(frame, Rules(), "steps").order() == [1, 0]


def test_a_clock_that_is_not_recorded_says_which_are() -> None:
    with pytest.raises(HarnessError, match="recorded here: seconds"):
        score_table(table(), Rules(), "joules")


def test_the_ends_of_an_interval_in_seconds_are_not_those_of_steps() -> None:
    rows = table(ROWS[:1]).assign(step_at_target=1000.0, last_miss=0.9, first_hit=1.1)
    seconds, steps = from_table(rows), from_table(rows, "step_at_target")
    assert (seconds.miss[0, 0, 0], seconds.latest[0, 0, 0]) == (0.9, 1.1)
    assert (steps.miss[0, 0, 0], steps.latest[0, 0, 0]) == (1000.0, 1000.0)
