"""Determines the mark of each entry from its trials, its audits and the organiser's marks.

The first of these that applies:

1. `withdrawn`, `disqualified` and `held`, as the organiser says.
2. `held`, if the last audit on a workload did not agree.
3. `held`, if a trial lies beyond its workload's convergence band and no audit covers it.
4. `audited`, if an audit covers every time that the entry has.
5. `verified`, as the organiser says, or else `self-reported`.

An audit covers a time if it reran, on the same workload, variant and framework and on a fresh
instance, a trial that was at least as fast, and agreed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from harness.core.marks import SELF_REPORTED, UNRANKED_MARKS, Mark
from harness.record.schema.audited import TrialAudited


class EntryKey(NamedTuple):
    """The key of an entry in a log."""

    submission: str
    entry_hash: str


@dataclass(frozen=True)
class Standing:
    """A mark and its reason; "" if none was given."""

    mark: Mark
    reason: str = ""


@dataclass(frozen=True)
class _Time:
    """A trial of an entry that reached its target."""

    column: tuple[str, str, str]
    """Its workload, variant and framework."""
    seconds: float
    beyond: str


def with_marks(
    frame: pd.DataFrame,
    audits: Iterable[TrialAudited] = (),
    standings: Mapping[EntryKey, Standing] | None = None,
) -> pd.DataFrame:
    """Add the columns `mark` and `mark_reason`, which are equal for all trials of an entry.

    Args:
        frame: results, with the column `beyond`.
        audits: the audits that count here, in the order in which they were made.
        standings: the organiser's latest marks of entries.
    """
    by_entry = _audits_by_entry(audits)
    marks = pd.Series(SELF_REPORTED, index=frame.index, dtype=object)
    reasons = pd.Series("", index=frame.index, dtype=object)
    for (name, content), trials in frame.groupby(["submission", "content_hash"], sort=False):
        key = EntryKey(str(name), str(content))
        standing = _standing(_times(trials), by_entry.get(key, []), (standings or {}).get(key))
        marks[trials.index], reasons[trials.index] = standing.mark, standing.reason
    return frame.assign(mark=marks, mark_reason=reasons)


def _audits_by_entry(audits: Iterable[TrialAudited]) -> dict[EntryKey, list[TrialAudited]]:
    by_entry: dict[EntryKey, list[TrialAudited]] = {}
    for audit in audits:
        by_entry.setdefault(EntryKey(audit.submission, audit.entry_hash), []).append(audit)
    return by_entry


def _times(trials: pd.DataFrame) -> list[_Time]:
    hits = trials[trials["state"].eq("reached") & trials["time_to_target_s"].notna()]
    columns = ["workload", "variant", "framework", "time_to_target_s", "beyond"]
    return [
        _Time((str(workload), str(variant), str(framework)), float(seconds), str(beyond))
        for workload, variant, framework, seconds, beyond in hits[columns].itertuples(
            index=False, name=None
        )
    ]


def _standing(times: list[_Time], audits: list[TrialAudited], manual: Standing | None) -> Standing:
    if manual is not None and manual.mark in UNRANKED_MARKS:
        return manual
    last = {_column(audit): audit for audit in audits if _is_decisive(audit)}
    for audit in last.values():
        if audit.verdict != "agrees":
            return Standing("held", _disagreement(audit))
    uncovered_times = [time for time in times if not _is_covered(time, audits)]
    for time in uncovered_times:
        if time.beyond:
            return Standing("held", f"{time.column[0]}: {time.beyond}")
    if times and not uncovered_times:
        return Standing("audited", f"{len(last)} fresh instance{'s' * (len(last) > 1)}")
    return manual or Standing(SELF_REPORTED)


def _column(audit: TrialAudited) -> tuple[str, str, str]:
    return audit.workload, audit.variant, audit.framework


def _is_decisive(audit: TrialAudited) -> bool:
    """Whether it decides anything: on another variant no time is calibrated."""
    return audit.rerun_variant == audit.variant and audit.verdict != "nothing to compare"


def _is_covered(time: _Time, audits: Iterable[TrialAudited]) -> bool:
    return any(
        audit.verdict == "agrees"
        and _is_decisive(audit)
        and _column(audit) == time.column
        and audit.claimed_s is not None
        and audit.claimed_s <= time.seconds
        for audit in audits
    )


def _disagreement(audit: TrialAudited) -> str:
    return f"{audit.workload}: an audit on a fresh instance did not agree, {times_text(audit)}"


def times_text(audit: TrialAudited) -> str:
    """The claimed time and the audit's time, as text."""
    claim, finding = (
        "not reached" if time_s is None else f"{time_s:.3g} s"
        for time_s in (audit.claimed_s, audit.found_s)
    )
    return f"claimed {claim}, found {finding}"
