"""The data of a board as values for its script files; the scripts in `assets/` display them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from scoring.frame import finished_trials
from scoring.report.style import pens
from scoring.report.tables import NEITHER, off_clock_s, off_clock_text
from scoring.site.boards import Board, View, reached_counts, run_workloads
from scoring.site.causes import has_causes
from scoring.site.material import Material, TrialDetail
from scoring.site.pairs import has_intervals
from scoring.site.scripts import short
from scoring.standing import marks_of
from scoring.times import Array
from scoring.tuning import best_after_trials
from scoring.uncertainty import LEVEL


def board_data(board: Board, material: Material) -> dict[str, object]:
    """The data that the board's page sorts and filters, in the order of `board.shown`."""
    pen_of, marks = pens(board.entries_with_pages), marks_of(board.everything)
    return {
        "title": board.title,
        "names": list(board.entries_with_pages),
        "ranked": len(board.entries),
        "marks": [marks[name] for name in board.entries_with_pages],
        "slugs": [board.layout.entries[name] for name in board.entries_with_pages],
        "pens": [[pen_of[name].hex, list(pen_of[name].dash)] for name in board.entries_with_pages],
        "columns": list(board.columns),
        "cslugs": [board.layout.columns[name] for name in board.columns],
        "targets": _targets(board),
        "filters": {name: values for name, values in filters(board, material).items() if values},
        "clocks": {name: _view_data(view, board.frame) for name, view in board.views.items()},
    }


def filters(board: Board, material: Material) -> dict[str, list[str]]:
    """The properties of each ranked entry that a reader can filter by."""
    first = board.frame.groupby("entry").first()
    rows = [first.loc[name] for name in board.entries]
    details = [material.entries.get(str(row["content_hash"])) for row in rows]
    hardware = [str(row["hardware"]) for row in rows]
    return {
        "family": [detail.family if detail else "" for detail in details],
        "framework": [str(row["framework"]) for row in rows],
        "hardware": [material.machines.get(name, name) or "unknown" for name in hardware],
        "mark": [str(row["mark"]) for row in rows],
    }


def _targets(board: Board) -> dict[str, dict[str, str | float]]:
    first = board.frame.groupby("column").first()
    return {
        str(column): {
            "metric": str(row["metric"]), "value": float(row["target"]),
            "direction": str(row["direction"]), "budget_s": float(row["budget_s"]),
        }
        for column, row in first.iterrows()
    }  # fmt: skip


def _view_data(view: View, frame: pd.DataFrame) -> dict[str, object]:
    board, sure = view.board, view.sure
    names = run_workloads(board)
    return {
        "unit": board.clock.unit,
        "said": board.clock.said_by,
        "order": view.order(),
        "rank": None if view.ranking is None else view.ranking.ranks.tolist(),
        "reached": reached_counts(board),
        "of": len(board.base),
        "score": [short(float(value), 5) for value in board.scores],
        "interval": None if sure is None else _round(sure.score_intervals),
        "speedup": [_overall(view, row) for row in range(len(board.scores))],
        "against": view.against,
        "columns": names,
        "times": [[short(float(value), 5) for value in row] for row in _times(view, names)],
        "limits": _limits(view, names),
        "free": _free(view, frame, names),
        "factors": [_factors(view, row) for row in range(len(board.scores))],
        "intervals": has_intervals(view),
        "causes": has_causes(view),
    }


def _round(values: Array) -> list[list[float | None]]:
    return [[short(float(value), 4) for value in row] for row in values]


def _times(view: View, names: list[str]) -> Array:
    places = [view.board.times.workloads.index(name) for name in names]
    return np.asarray(view.board.medians[:, places])


def _limits(view: View, names: list[str]) -> list[list[float | None]]:
    """Where each entry's trials ended that did not reach; None where it reached, or unknown."""
    places = [view.board.times.workloads.index(name) for name in names]
    limits = np.where(np.isfinite(_times(view, names)), np.nan, view.board.times.limit[:, places])
    return [[short(float(value), 5) for value in row] for row in limits]


def _free(view: View, frame: pd.DataFrame, names: list[str]) -> list[list[str]]:
    """The untimed seconds of set-up and warm-up for each time, in words."""
    free = off_clock_s(frame)
    return [
        [off_clock_text(*free.get((entry, name), NEITHER)) for name in names]
        for entry in view.board.times.submissions
    ]


def _overall(view: View, row: int) -> list[float | str | None] | None:
    """An entry's speed-up over the reference: factor, mark, low end, high end."""
    factor = view.factors[row]
    if factor is None:
        return None
    item = view.sure.speedups[row] if view.sure else None
    ends = item.comparison.interval(LEVEL) if item else (None, None, None)
    return [short(factor.overall, 4), factor.mark, short(ends[0], 4), short(ends[2], 4)]


def _factors(view: View, row: int) -> list[list[float | str | None]] | None:
    factor = view.factors[row]
    if factor is None:
        return None
    cells = zip(factor.by_workload, factor.marks, strict=True)
    return [[short(float(value), 4), mark] for value, mark in cells]


def entry_data(
    trials: pd.DataFrame, ranked_identities: Collection[str], material: Material
) -> dict[str, object]:
    """An entry's trials with all their data, and the cost of tuning it.

    Args:
        trials: the entry's trials.
        ranked_identities: identities of the trials that count for their studies.
        material: the site's data.
    """
    return {
        "name": str(trials.iloc[0]["entry"]),
        "trials": [
            _trial(
                row, row["identity"] in ranked_identities, material.trials.get(str(row["identity"]))
            )
            for row in trials.to_dict("records")
        ],
        "tuning": tuning_data(trials),
    }


NUMBERS = (
    "time_to_target_s", "last_miss_s", "hit_s", "steps_to_target", "examples_to_target",
    "setup_s", "warm_up_s", "timed_s", "steps", "budget_s", "best_metric", "target",
)  # fmt: skip
WORDS = (
    "column", "workload", "variant", "framework", "state", "reason", "metric", "direction",
    "identity", "content_hash", "instance_seed", "workload_hash", "harness_hash", "hardware",
    "devices", "threads", "sandbox", "versions", "variables", "begun_at", "ended_at", "origin",
    "round", "record", "interference", "contention", "mark", "mark_reason",
)  # fmt: skip


def _trial(
    row: Mapping[Hashable, Any], counts: bool, detail: TrialDetail | None
) -> dict[str, object]:
    point = row.get("point")
    return {
        "id": str(row["identity"])[:16],
        "study": int(row["study"]),
        "trial": int(row["trial"]),
        "counts": counts,
        "numbers": {name: short(float(row[name]), 7) for name in NUMBERS},
        "words": {name: str(row[name]) for name in WORDS if row.get(name) not in (None, "")},
        "point": dict(point) if isinstance(point, dict) else {},
        "sections": {} if detail is None else {k: dict(v) for k, v in detail.sections.items()},
    }


def tuning_data(trials: pd.DataFrame) -> dict[str, list[list[float | None]]]:
    """The expected best time after k trials, by workload: numbers of trials and seconds."""
    finished_frame = finished_trials(trials)
    if finished_frame.empty:
        return {}
    table = best_after_trials(finished_frame)
    return {
        str(column): [part["trials"].tolist(), [short(float(v)) for v in part["expected_s"]]]
        for column, part in table.groupby("column")
        if len(part) > 1
    }
