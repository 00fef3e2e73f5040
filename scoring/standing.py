"""Which entries are ranked: held, withdrawn and disqualified ones are only shown.

An entry's mark is in the columns `mark` and `mark_reason` of a results frame, which
`harness.record.standing` fills.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from harness.core.errors import ManyReasonsError
from harness.core.marks import UNRANKED_MARKS
from scoring.clock import CLOCKS
from scoring.frame import finished_trials
from scoring.studies import study_table

HELD_RULE = "held-entries"
"""The rule whose override ranks held entries, too."""


def select_ranked(frame: pd.DataFrame, allowed_rules: Collection[str]) -> pd.DataFrame:
    """The trials of a prepared frame whose entries are ranked.

    Raises:
        HarnessError: no entry is ranked; the message says why.
    """
    ranked_trials = frame[~_is_unranked(frame, allowed_rules)]
    if ranked_trials.empty:
        raise ManyReasonsError(
            ["no entry is ranked", *standing_flags(frame, allowed_rules)],
            f"rerun them on fresh instances: harness audit OUT --seed TEXT; or --allow {HELD_RULE}",
        )
    return ranked_trials


def select_unranked(frame: pd.DataFrame, allowed_rules: Collection[str]) -> pd.DataFrame:
    """The trials of a prepared frame whose entries are not ranked."""
    return frame[_is_unranked(frame, allowed_rules)]


def _is_unranked(frame: pd.DataFrame, allowed_rules: Collection[str]) -> pd.Series[bool]:
    marks = UNRANKED_MARKS - {"held"} if HELD_RULE in allowed_rules else UNRANKED_MARKS
    return frame["mark"].isin(marks)


def marks_of(frame: pd.DataFrame) -> dict[str, str]:
    """The mark of each entry of a prepared frame."""
    first = frame[["entry", "mark"]].drop_duplicates("entry")
    return {str(entry): str(mark) for entry, mark in first.itertuples(index=False, name=None)}


def standing_flags(frame: pd.DataFrame, allowed_rules: Collection[str]) -> tuple[str, ...]:
    """A flag for each entry of a prepared frame that is unranked, or ranked by `--allow` only."""
    flags = []
    first = frame[frame["mark"].isin(UNRANKED_MARKS)].drop_duplicates("entry").sort_values("entry")
    for entry, mark, reason in first[["entry", "mark", "mark_reason"]].itertuples(index=False):
        by_request = mark == "held" and HELD_RULE in allowed_rules
        rule, how = (
            (HELD_RULE, "held and ranked all the same") if by_request else (mark, "not ranked")
        )
        flags.append(f"{rule}: {entry} is {how}: {reason or 'no reason was given'}")
    return tuple(flags)


def unranked_table(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per entry and workload of unranked trials, with the time that it would have.

    Columns: submission, mark, workload, time_to_target_s (median of the studies), steps_to_target,
    studies_reached, studies, setup_s, warm_up_s, mark_reason.
    """
    trials = finished_trials(frame)
    if trials.empty:
        return pd.DataFrame()
    best = study_table(trials, CLOCKS["seconds"])["identity"]
    rows = []
    for (entry, column), studies in trials[trials["identity"].isin(best)].groupby(
        ["entry", "column"]
    ):
        first = studies.iloc[0]
        rows.append(
            {
                "submission": entry, "mark": first["mark"], "workload": column,
                "time_to_target_s": _median_of_hits(studies["time_to_target_s"]),
                "steps_to_target": _median_of_hits(studies["steps_to_target"]),
                "studies_reached": _count_hits(studies["time_to_target_s"]),
                "studies": len(studies),
                "setup_s": float(studies["setup_s"].astype(float).median()),
                "warm_up_s": float(studies["warm_up_s"].astype(float).median()),
                "mark_reason": first["mark_reason"],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _median_of_hits(counts: pd.Series[float]) -> float:
    """The median of times or counts to the target; a miss is infinite."""
    return float(counts.astype(float).fillna(np.inf).median())


def _count_hits(times: pd.Series[float]) -> int:
    return int(np.isfinite(times.astype(float)).sum())
