"""Rows of the pages' tables, as texts and links for templates."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from scoring.clock import CLOCKS
from scoring.frame import finished_trials
from scoring.profile import median_times, ratios_to_best, settle_missing
from scoring.report.tables import NEITHER, number, off_clock_s, off_clock_text
from scoring.scoreboard import Scoreboard
from scoring.site.boards import Board, View, reached_counts, run_workloads
from scoring.standing import marks_of
from scoring.studies import steps_beside, study_table
from scoring.uncertainty import LEVEL

Row = dict[str, Any]
SHADES = 0.2
"""A cell's shade changes with every factor of 2 to this power."""


def board_rows(board: Board, view: View, links: str) -> list[Row]:
    """The board's rows in order; `links` is the relative path to the board's folder."""
    ranks = None if view.ranking is None else view.ranking.ranks
    columns, rows = run_workloads(view.board), []
    reached = reached_counts(view.board)
    last: int | None = None
    for row in view.order():
        name = view.board.times.submissions[row]
        rank = None if ranks is None else int(ranks[row])
        rows.append(
            {
                "i": row, "name": name, "rank": "-" if rank is None else rank,
                "starts": last is not None and rank != last,
                "href": links + board.layout.submission(name), "score": _score(view, row),
                "mark": view.board.marks[name],
                "reached": f"{reached[row]} of {len(view.board.base)}",
                "speedup": _speedup(view, row), "pair": links + _pair_link(board, view, row),
                "cells": _cells(board, view, row, columns),
            }
        )  # fmt: skip
        last = rank
    return rows


def _score(view: View, row: int) -> str:
    score = f"{view.board.scores[row]:.3f}"
    if view.sure is None:
        return score
    low, high = view.sure.score_intervals[row]
    return f"{score} ({low:.2f} – {high:.2f})"


def _speedup(view: View, row: int) -> str:
    factor = view.factors[row]
    if factor is None:
        return "-"
    point = f"{factor.mark} {factor.overall:.2f}".strip()
    item = view.sure.speedups[row] if view.sure else None
    if item is None:
        return point
    low, _, high = item.comparison.interval(LEVEL)
    return f"{point} ({low:.2f} – {high:.2f})"


def _pair_link(board: Board, view: View, row: int) -> str:
    names = view.board.times.submissions
    items = view.sure.speedups if view.sure else ()
    other = next((item.reference for item in items if item), None)
    return board.layout.pair(names[row], other or names[view.order()[0]])


def _cells(board: Board, view: View, row: int, columns: list[str]) -> list[Row]:
    factor = view.factors[row]
    if factor is None:
        return [{"text": "-", "shade": "", "slug": board.layout.columns[c]} for c in columns]
    return [
        {"text": _factor_text(value, mark), "shade": "" if mark == "?" else shade(value),
         "slug": board.layout.columns[column]}
        for column, value, mark in zip(columns, factor.by_workload, factor.marks, strict=True)
    ]  # fmt: skip


def _factor_text(value: float, mark: str) -> str:
    return mark if mark == "?" else f"{mark} {value:.2f}".strip()


def shade(value: float) -> str:
    """The CSS class of a cell by its factor: `u1` to `u3` above 1, `d1` to `d3` below."""
    size = min(3, int(abs(np.log2(value)) / SHADES)) if value > 0 else 3
    return "" if not size else f"{'u' if value > 1 else 'd'}{size}"


class Times:
    """Median times, ratios and study times of a board, for the tables of its pages."""

    def __init__(self, board: Board) -> None:
        self._board = board
        trials = finished_trials(board.everything)
        self._free = off_clock_s(trials)
        self._marks = marks_of(board.everything)
        studies = study_table(trials, CLOCKS["seconds"]) if len(trials) else None
        keys = ["submission", "workload"]
        self._studies = {} if studies is None else dict(list(studies.groupby(keys)))
        view = board.views.get("seconds")
        self._medians: dict[tuple[str, str], tuple[float, float]] = {}
        if view is not None:
            times, ratios = view.board.times, ratios_to_best(view.board.medians)
            for row, name in enumerate(times.submissions):
                for place, column in enumerate(times.workloads):
                    cell = (float(view.board.medians[row, place]), float(ratios[row, place]))
                    self._medians[name, column] = cell
        self._steps = {} if view is None else _median_steps(view.board, trials)

    def row(self, entry: str, column: str) -> Row | None:
        """An entry's times on a workload; None if it has no study there."""
        studies = self._studies.get((entry, column))
        if studies is None:
            return None
        median, ratio = self._medians.get((entry, column), (np.nan, np.nan))
        return {
            "column": column, "name": entry, "slug": self._board.layout.columns[column],
            "mark": self._marks[entry], "seconds": number(median), "sort": median,
            "free": off_clock_text(*self._free.get((entry, column), NEITHER)),
            "steps": number(self._steps.get((entry, column), np.nan), 6),
            "ratio": f"{ratio:.3f}" if np.isfinite(ratio) else "-",
            "reached": f"{int(np.isfinite(studies['time_to_target_s']).sum())} of {len(studies)}",
            "studies": [self._study(entry, line) for line in studies.to_dict("records")],
        }  # fmt: skip

    def _study(self, entry: str, line: Mapping[Hashable, Any]) -> Row:
        text = number(float(line["time_to_target_s"]))
        href = self._board.layout.trial(entry, str(line["identity"]))
        return {"study": line["study"], "text": text, "href": href}


def _median_steps(board: Scoreboard, trials: pd.DataFrame) -> dict[tuple[str, str], float]:
    """The steps of the trials whose seconds are shown, by entry and workload."""
    times = steps_beside(trials, board.clock)
    medians = median_times(settle_missing(times.hit, board.rules))
    return {
        (name, column): float(medians[row, place])
        for row, name in enumerate(times.submissions)
        for place, column in enumerate(times.workloads)
    }


def trial_rows(
    board: Board, trials: pd.DataFrame, counted_trials: Iterable[str], links: str
) -> list[Row]:
    """The rows of a table of trials; `links` is the relative path to the board's folder."""
    sorted_trials = trials.sort_values(["entry", "column", "study", "trial"])
    stands = set(counted_trials)
    searched = {entry: set(searched_values(part)) for entry, part in trials.groupby("entry")}
    return [
        {
            **{str(key): value for key, value in line.items()},
            "counts": line["identity"] in stands,
            "free": off_clock_text(float(line["setup_s"]), float(line["warm_up_s"])),
            "point": point_text(line.get("point"), searched[line["entry"]]),
            "href": links + board.layout.trial(str(line["entry"]), str(line["identity"])),
        }
        for line in sorted_trials.to_dict("records")
    ]  # fmt: skip


def searched_values(trials: pd.DataFrame) -> dict[str, list[object]]:
    """The hyperparameters that differ between an entry's trials, with their distinct values."""
    points = [point for point in trials.get("point", ()) if isinstance(point, dict)]
    names = sorted(set().union(*points))
    values = {name: list(dict.fromkeys(point.get(name) for point in points)) for name in names}
    return {name: distinct for name, distinct in values.items() if len(distinct) > 1}


def searched_text(values: Mapping[str, Sequence[object]]) -> str:
    """Each searched hyperparameter with the range of its numbers, or with its words."""
    return ", ".join(f"{name} {_range_text(distinct)}" for name, distinct in values.items())


def point_text(point: object, names: Collection[str] = ()) -> str:
    """A point in one line: the given hyperparameters, or all if none are given."""
    if not isinstance(point, dict):
        return ""
    return ", ".join(
        f"{name} {_value_text(value)}"
        for name, value in sorted(point.items())
        if not names or name in names
    )


def _range_text(values: Sequence[object]) -> str:
    numbers = [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < len(values):
        return " or ".join(_value_text(value) for value in values)
    return f"{_value_text(min(numbers))} to {_value_text(max(numbers))}"


def _value_text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
