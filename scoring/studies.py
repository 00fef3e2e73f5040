"""Choose each study's best trial and its time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from scoring.clock import CLOCKS, Clock, require_column
from scoring.times import Times, from_table

Rows = npt.NDArray[np.intp]


def study_table(frame: pd.DataFrame, clock: Clock) -> pd.DataFrame:
    """The best trial of every study of a prepared frame by one clock; one row per study.

    The best trial has the smallest value, or the smallest `hit_index` if the frame has that column
    (`with_hit_index`). A trial in any state other than `reached` has no time; if no trial has one,
    the trial with the best metric counts for the study. Columns: submission, workload, study, the
    clock's value under its table name, `last_miss` and `first_hit` (seconds only), identity,
    record.
    """
    require_column(frame, clock.column, clock)
    is_reached = frame["state"].eq("reached") & frame["time_to_target_s"].notna()
    value = frame[clock.column].astype(float).where(is_reached, np.inf).fillna(np.inf)
    miss = frame["last_miss_s"].astype(float)
    first = [frame["hit_index"]] if "hit_index" in frame.columns else []
    rows = _first_of_each(
        [frame["entry"], frame["column"], frame["study"]],
        [*first, value, _shortfall(frame, value), frame["trial"], miss],
    )
    best = frame.iloc[rows]
    table = pd.DataFrame(
        {
            "submission": best["entry"],
            "workload": best["column"],
            "study": best["study"].astype(int).map("study_{:05d}".format),
            clock.table_column: value.iloc[rows],
            "identity": best["identity"],
            "record": best["record"],
        }
    )
    if clock.name == "seconds":
        table["last_miss"] = miss.iloc[rows]
        table["first_hit"] = frame["hit_s"].astype(float).iloc[rows]
    return table.reset_index(drop=True)


def _shortfall(frame: pd.DataFrame, value: pd.Series[float]) -> pd.Series[float]:
    """The sort key of trials without a time: the best metric, signed so that smaller is better; 0
    with a time.
    """
    sign = frame["direction"].map({"maximize": -1.0, "minimize": 1.0})
    metric = (sign * frame["best_metric"].astype(float)).fillna(np.inf)
    return metric.where(np.isinf(value), 0.0)


def _first_of_each(keys: list[pd.Series[Any]], values: list[pd.Series[float]]) -> Rows:
    """For each distinct key, in sorted order, the row with the smallest values."""
    codes = [pd.factorize(key, sort=True)[0] for key in keys]
    order = np.lexsort([value.to_numpy() for value in reversed(values)] + codes[::-1])
    changes = [np.diff(code[order], prepend=-1) != 0 for code in codes]
    return np.asarray(order[np.logical_or.reduce(changes)])


def with_hit_index(frame: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Add a column `hit_index`: the index, from 0, of the first evaluation that met the target.

    Infinite if none did. Needed by rules that choose a study's trial by evaluation index.
    """
    sign = frame["direction"].map({"maximize": 1.0, "minimize": -1.0})
    targets = frame[["identity", "metric"]].assign(sign=sign, bound=sign * frame["target"])
    evaluations = curves[curves["split"] == "validation"].merge(targets, on=["identity", "metric"])
    evaluations["hit_index"] = evaluations.groupby("identity").cumcount().astype(float)
    hits = evaluations[
        evaluations["sign"] * evaluations["value"].astype(float) >= evaluations["bound"]
    ]
    first = hits.groupby("identity")["hit_index"].min()
    return frame.assign(hit_index=frame["identity"].map(first).fillna(np.inf))


def times_of(frame: pd.DataFrame, clock: Clock) -> Times:
    """The study times of a prepared results frame by one clock."""
    by_cell = frame.groupby(["entry", "column"])
    limits = (
        by_cell["budget_s"].max() if clock.name == "seconds" else _counts_of_misses(frame, clock)
    )
    keys = limits.index.to_frame()
    rows = zip(keys["entry"], keys["column"], limits, strict=True)
    named = {(str(entry), str(column)): float(limit) for entry, column, limit in rows}
    return from_table(study_table(frame, clock), clock.table_column, named)


def _counts_of_misses(frame: pd.DataFrame, clock: Clock) -> pd.Series[float]:
    """What each entry and column has counted, at least, in the trials of its missed studies.

    Trials end by seconds, so one with slow steps ends after few. What a step counts (examples, say)
    is taken from the column's hits. Entries without such a trial are left out: those that have
    reached the target in every study, and those whose trials failed in another way.
    """
    keys = ["entry", "column"]
    is_missed = ~frame["state"].eq("reached").groupby(
        [frame[key] for key in [*keys, "study"]]
    ).transform("any")
    spent = frame[is_missed & frame["state"].eq("budget")]
    per_step = (frame[clock.column] / frame["steps_to_target"]).groupby(frame["column"]).median()
    counts = spent["steps"].astype(float) * spent["column"].map(per_step).astype(float)
    return counts.groupby([spent[key] for key in keys]).min().dropna()


def by_identity(frame: pd.DataFrame, column: str) -> pd.Series[Any]:
    """A column by trial; copies of a trial, which a user may have allowed, count once."""
    return frame.drop_duplicates("identity").set_index("identity")[column]


def steps_beside(frame: pd.DataFrame, clock: Clock) -> Times:
    """The steps to the target of the trials that count for their studies by another clock.

    The trial that is fastest in steps may be a different one; its steps next to another trial's
    seconds would describe a trial that does not exist.
    """
    require_column(frame, CLOCKS["steps"].column, CLOCKS["steps"])
    studies = study_table(frame, clock)
    steps = studies["identity"].map(by_identity(frame, CLOCKS["steps"].column))
    is_reached = np.isfinite(studies[clock.table_column])
    column = CLOCKS["steps"].table_column
    return from_table(studies.assign(**{column: steps.where(is_reached, np.inf)}), column)
