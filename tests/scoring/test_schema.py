"""Frames are checked against the one declaration of their columns, which the docs show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.core.errors import HarnessError
from scoring.clock import CLOCKS
from scoring.columns import CURVES, RESULTS
from scoring.evaluate import score_results
from scoring.frame import prepare
from scoring.schema import FrameRows, FrameSchema

from .made_frames import curves, frame

PAGE = Path(__file__).parents[2] / "docs" / "SCORING.md"


def trials() -> pd.DataFrame:
    return frame({("a", "w"): [10.0, np.inf], ("b", "w"): [12.0, 13.0]})


@pytest.mark.parametrize("schema", [RESULTS, CURVES], ids=lambda schema: schema.title)
def test_the_documentation_has_the_table(schema: FrameSchema) -> None:
    assert schema.table() in PAGE.read_text(), f"put this into {PAGE.name}:\n{schema.table()}"


@pytest.mark.parametrize("schema", [RESULTS, CURVES], ids=lambda schema: schema.title)
def test_each_column_is_declared_once(schema: FrameSchema) -> None:
    names = [column.name for column in schema.columns]
    assert len(names) == len(set(names))


def test_every_clock_reads_a_column_that_is_declared() -> None:
    declared = {column.name for column in RESULTS.columns}
    assert {clock.column for clock in CLOCKS.values()} <= declared


@pytest.mark.parametrize("name", RESULTS.required_columns)
def test_a_frame_without_a_required_column_is_refused(name: str) -> None:
    with pytest.raises(HarnessError, match=rf"the results lack the column\(s\) {name}\n"):
        score_results(trials().drop(columns=name))


def test_a_frame_needs_no_other_column() -> None:
    assert score_results(trials()[list(RESULTS.required_columns)]).scores.size == 2


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("mark_reason", ["", None, "", ""]),
        ("threads", [2, 2, 2, 2]),
        ("study", [1.0, 2.5, 1.0, 2.0]),
        ("study", [1.0, float("nan"), 1.0, 2.0]),
        ("trial", ["1", "1", "1", "1"]),
        ("timed_s", ["long", "", "", ""]),
        ("timed_s", [True, False, True, True]),
        ("scored", ["yes", "yes", "no", "no"]),
        ("point", ["lr=1", "", "", ""]),
    ],
)
def test_a_column_with_values_of_another_type_is_refused_by_name(
    name: str, values: list[Any]
) -> None:
    with pytest.raises(HarnessError, match=f"the results are invalid: {name} is "):
        prepare(trials().assign(**{name: values}))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("hit_s", [None, 1, 2.5, None]),
        ("hit_s", [None, None, None, None]),
        ("study", [1.0, 2.0, 1.0, 2.0]),
        ("unknown", [object()] * 4),
    ],
)
def test_what_means_the_same_is_taken(name: str, values: list[object]) -> None:
    RESULTS.check(trials().assign(**{name: pd.Series(values, dtype=object)}))


def test_curves_are_checked_as_well() -> None:
    CURVES.check(curves(trials()))
    CURVES.check(curves(trials()).iloc[:0])
    with pytest.raises(HarnessError, match=r"the curves lack the column\(s\) split"):
        CURVES.check(curves(trials()).drop(columns="split"))


def test_rows_of_other_columns_are_no_rows_of_a_frame() -> None:
    rows = FrameRows(("a", "b"))
    rows.add({"b": 2, "a": 1})
    with pytest.raises(ValueError, match="other columns than declared"):
        rows.add({"a": 1})
    assert rows.frame().to_dict("records") == [{"a": 1, "b": 2}]
