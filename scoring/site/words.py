"""The texts of a board's pages: facts in their headers, captions, notes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from harness.core.marks import MARKS, MEANINGS
from scoring.draws import METHODS
from scoring.report.tables import DESCRIPTIVE, OFF_CLOCK, number, screening_text
from scoring.site.boards import Board, View, run_workloads
from scoring.site.material import Gap, Material
from scoring.site.rows import Row
from scoring.uncertainty import LEVEL

RANKS = (
    "Rank: one plus the number of entries settled to be faster: in 97.5 % of the draws, whatever "
    "the bounds, and by the t-test. That is the rule of harness compare, but with fewer than five "
    "studies the noise is that of all the board's entries, not of the pair's. No entry of rank 1 "
    "is settled to be slower than any other. Within a rank the order is that of the score, and "
    "says nothing."
)

REACHED = "Workloads with a time that counts; each of the others is a miss"


def head_facts(board: Board, material: Material, date: str, version: str) -> Mapping[str, str]:
    """The properties common to all trials of a board, for its header."""
    frame = board.frame
    hardware = [material.machines.get(name, name) for name in _values(frame, "hardware")]
    budgets = frame.groupby("column")["budget_s"].max()
    rounds = [name[:12] for name in _values(frame, "round")]
    per_study = frame.groupby(["entry", "column", "study"]).size()
    studies = _count(int(frame["study"].nunique()), "study", "studies")
    trials = _count(int(per_study.max()), "trial", "trials") if per_study.nunique() == 1 else (
        f"{per_study.min()} to {per_study.max()} trials"
    )  # fmt: skip
    return {
        "Date": date, "Harness": version,
        "Hardware": "; ".join(hardware) or "not published",
        "Versions": _versions(frame) or "not published",
        "Budget, s": ", ".join(f"{name} {number(float(b))}" for name, b in budgets.items()),
        "Tuning": f"{board.ruleset}, {studies} of {trials}",
        "Round": ", ".join(rounds) or "none",
        "Origin": ", ".join(_values(frame, "origin")) or "unknown",
        "Sandbox, threads": ", ".join(_values(frame, "sandbox") + _values(frame, "threads")) or "-",
        "Entries": str(len(board.entries)), "Trials": f"{len(frame):,}",
    }  # fmt: skip


def _versions(frame: pd.DataFrame) -> str:
    """Packages with versions, without duplicates: entries import different packages, but never
    different versions of one.
    """
    names_of_each = (text.split("; ") for text in _values(frame, "versions"))
    return "; ".join(sorted({name for names in names_of_each for name in names}))


def _count(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def _values(frame: pd.DataFrame, column: str) -> list[str]:
    return sorted({str(value) for value in frame[column].unique()} - {""})


def noise(board: Board, column: str) -> dict[str, str]:
    """The noise of study times on a workload: the median over entries of the deviation."""
    view = board.views.get("seconds")
    if view is None or column not in view.board.times.workloads:
        return {}
    hits = view.board.times.hit[:, view.board.times.workloads.index(column)]
    whole = hits[(np.isfinite(hits)).sum(axis=1) >= 2]
    logs = [np.log(row[np.isfinite(row)]).std(ddof=1) for row in whole]
    return {"Noise of a study's time": f"{float(np.median(logs)):.0%}"} if logs else {}


def entry_gaps(trials: pd.DataFrame, has_detail: bool) -> list[Gap]:
    """A note on the data that an entry's page cannot show."""
    gaps = []
    if count := int(trials["state"].eq("unfinished").sum()):
        gaps.append(Gap("trials", f"{count} of {len(trials)} have not ended"))
    if not has_detail:
        gaps.append(Gap("summary, family and code", "the records do not come with them"))
    return gaps


def heads(view: View) -> list[Row]:
    """The headers of the board's columns, and each one's initial sort order."""
    constants = [
        {"text": "rank", "key": "rank", "n": True, "sort": "ascending", "title": RANKS},
        {"text": "submission", "key": "name", "n": False, "sort": "", "title": "By name"},
        {"text": "mark", "key": "mark", "n": False, "sort": "", "title": "What stands behind it"},
        {"text": "reached", "key": "reached", "n": True, "sort": "", "title": REACHED},
        {"text": "score", "key": "score", "n": True, "sort": "", "title": "Score and interval"},
        {
            "text": "speed-up",
            "key": "speedup",
            "n": True,
            "sort": "",
            "title": "Over all workloads",
        },
    ]
    what = f"speed-up over {view.against}"
    columns = enumerate(run_workloads(view.board))
    return constants + [
        {"text": name, "key": f"w{at}", "n": True, "sort": "", "title": f"{name}: {what}"}
        for at, name in columns
    ]


def caption(view: View | None) -> str:
    """The meaning of the board's cells."""
    if view is None:
        return ""
    return (
        f"Score, and speed-up over {view.against}, with {LEVEL:.0%} intervals from two studies on. "
        "By workload the speed-up, blue where faster and orange where slower; marks >= and <= are "
        "bounds, ~ both, ? nothing is known. A miss adds nothing to the score, and only a bound to "
        "the speed-up: compare the number of reached targets first."
    )


def meanings(board: Board) -> dict[str, str]:
    """The meaning of the marks on a board."""
    have = {*board.everything["mark"], *("withdrawn" for _ in board.withdrawn)}
    return {mark: MEANINGS[mark] for mark in MARKS if mark in have}


def clock_text(view: View) -> str:
    """The clock of the board."""
    return f"Clock: {view.board.clock.name}, {view.board.clock.said_by}."


def notes(view: View) -> list[str]:
    """Notes on ranks, intervals and times."""
    if view.sure is None:
        return [f"This is a {screening_text(view.board)}.", OFF_CLOCK]
    return [
        RANKS,
        OFF_CLOCK,
        f"Intervals: {LEVEL:.0%}, by {METHODS[view.sure.method]}. {DESCRIPTIVE}",
    ]
