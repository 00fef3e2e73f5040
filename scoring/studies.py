"""From trials to studies: which trial stands for its study, and the time it stands for."""

from __future__ import annotations

import numpy as np
import pandas as pd

from scoring.clock import Clock, require_column
from scoring.times import KEYS, Times, from_table


def study_table(frame: pd.DataFrame, clock: Clock) -> pd.DataFrame:
    """The best trial of every study of a prepared frame by one clock: one row a study.

    A trial that ended in any state but `reached` has no time. Columns: submission, workload,
    study, the clock's value under its table name, `last_miss` (seconds only), identity, record.
    """
    require_column(frame, clock.column, clock)
    reached = frame["state"].eq("reached") & frame["time_to_target_s"].notna()
    value = frame[clock.column].astype(float).where(reached, np.inf).fillna(np.inf)
    table = pd.DataFrame(
        {
            "submission": frame["entry"],
            "workload": frame["column"],
            "study": frame["study"].astype(int).map("study_{:05d}".format),
            clock.table_column: value,
            "identity": frame["identity"],
            "record": frame["record"],
        }
    )
    if clock.name == "seconds":
        table["last_miss"] = frame["last_miss_s"].astype(float)
    # The identity settles ties, so that the row chosen never depends on the order of trials.
    table = table.sort_values([*KEYS, clock.table_column, "identity"], kind="stable")
    return table.drop_duplicates(KEYS).reset_index(drop=True)


def times_of(frame: pd.DataFrame, clock: Clock) -> Times:
    """The study times of a prepared results frame by one clock."""
    limits: dict[tuple[str, str], float] = {}
    if clock.name == "seconds":
        rows = zip(frame["entry"], frame["column"], frame["budget_s"], strict=True)
        for entry, workload, budget in rows:
            key = (str(entry), str(workload))
            limits[key] = max(limits.get(key, 0.0), float(budget))
    return from_table(study_table(frame, clock), clock.table_column, limits)
