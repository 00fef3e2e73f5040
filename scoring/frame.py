"""The results frame: one row per trial, with everything that scoring needs from a record.

`harness.record.tables.results_frame(store)` builds it from a folder of records, and
`curves_frame(store)` the matching curves; nothing in `scoring` reads records itself.
`scoring.columns` declares their columns.
"""

from __future__ import annotations

import pandas as pd

from harness.core.errors import HarnessError
from scoring.columns import RESULTS
from scoring.entries import entry_labels
from scoring.times import entry_among


def prepare(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the columns `entry` and `column`, the names used by scores.

    An entry (`scoring.entries`) is named after its submission, with the beginning of its content
    hash if the frame has several contents of that name, and with its framework if the frame has
    several (a published entry counts as one regardless of framework). A column is a workload, or
    `<workload>_<variant>` for a held-out variant.

    Raises:
        HarnessError: a column is missing or has values of another type, or there are no trials.
    """
    RESULTS.check(frame)
    if frame.empty:
        raise HarnessError(
            "there is no trial to score",
            "run one first: harness run --workload mlp --submission adamw",
        )
    entry = entry_labels(frame)
    if frame["framework"].nunique() > 1 and not frame["origin"].eq("imported").all():
        entry = entry + " (" + frame["framework"].astype(str) + ")"
    variant = frame["variant"].astype(str)
    column = frame["workload"].astype(str) + ("_" + variant).where(variant != "base", "")
    return frame.assign(entry=entry, column=column)


def find_entry(frame: pd.DataFrame, name: str) -> str:
    """The name of an entry in a prepared frame; its submission's suffices if that has no other.

    Raises:
        UnknownNameError: there is no such entry, or the submission has several.
    """
    entries = set(frame["entry"])
    of_submission = set(frame.loc[frame["submission"].eq(name), "entry"])
    if name in entries or len(of_submission) != 1:
        return entry_among(entries, name)
    return str(of_submission.pop())


def finished_trials(frame: pd.DataFrame) -> pd.DataFrame:
    """The trials of a results frame that have ended, in any state."""
    return frame[frame["state"] != "unfinished"]


def held_out_of(frame: pd.DataFrame) -> dict[str, str]:
    """The base workload of each held-out variant in a prepared frame, by the variant's column."""
    variants = frame[frame["variant"] != "base"]
    return dict(zip(variants["column"], variants["workload"].astype(str), strict=True))
