"""All tables of a board as CSV and JSON, with stable names."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from harness.core.text import csv_text
from scoring.frame import finished_trials
from scoring.report.tables import trial_table, workload_table
from scoring.site.boards import Board, View, reached_counts
from scoring.site.material import Material
from scoring.site.scripts import dumps
from scoring.standing import unranked_table
from scoring.studies import study_table
from scoring.tuning import best_after_trials, sensitivity
from scoring.uncertainty import LEVEL

MOST_CURVES = 2000
"""Maximum number of a board's trials for which there is a table of curves."""


def board_tables(board: Board, material: Material) -> dict[str, pd.DataFrame]:
    """Tables by name: `entries-<clock>`, `times-<clock>`, `studies-<clock>`, `trials`, more."""
    tables = {"trials": trial_table(board.everything).drop(columns="record")}
    if len(board.unranked_frame):
        tables["unranked"] = unranked_table(board.unranked_frame)
    finished_frame = finished_trials(board.frame)
    for name, view in board.views.items():
        tables[f"entries-{name}"] = entry_numbers(view)
        tables[f"times-{name}"] = workload_table(view.board, board.frame)
        tables[f"studies-{name}"] = study_table(finished_frame, view.board.clock).drop(
            columns="record"
        )
    if len(finished_frame):
        tables["tuning"] = best_after_trials(finished_frame)
        tables["sensitivity"] = sensitivity(finished_frame)
    if len(board.frame) <= MOST_CURVES:
        tables["curves"] = select_measured(material.curves, board.frame)
    return {name: table for name, table in tables.items() if not table.empty}


def select_measured(curves: pd.DataFrame, trials: pd.DataFrame) -> pd.DataFrame:
    """The referee's measurements during trials.

    Workers' claims for every snapshot, which are fifteen times as many, are only in charts and
    records.
    """
    is_theirs = curves["identity"].isin(trials["identity"])
    return curves[is_theirs & curves["split"].ne("claimed")]


def entry_numbers(view: View) -> pd.DataFrame:
    """One row per entry, in the board's order, with numbers at full precision."""
    return pd.DataFrame([_entry_row(view, row) for row in view.order()])


def _entry_row(view: View, row: int) -> dict[str, object]:
    board, sure = view.board, view.sure
    line: dict[str, object] = {
        "submission": board.times.submissions[row],
        "rank": None if view.ranking is None else int(view.ranking.ranks[row]),
        "mark": board.marks[board.times.submissions[row]],
        "score": float(board.scores[row]),
        "score_low": float(sure.score_intervals[row, 0]) if sure else np.nan,
        "score_high": float(sure.score_intervals[row, 1]) if sure else np.nan,
        "reached": reached_counts(board)[row],
    }
    factor, item = view.factors[row], sure.speedups[row] if sure else None
    if factor is not None:
        low, _, high = item.comparison.interval(LEVEL) if item else (np.nan, np.nan, np.nan)
        line |= {"speedup": factor.overall, "speedup_mark": factor.mark}
        line |= {"speedup_low": low, "speedup_high": high}
    return line


def table_files(tables: dict[str, pd.DataFrame]) -> Iterator[tuple[str, str]]:
    """The name and text of each table's files; in JSON, each row is a line."""
    for name, table in tables.items():
        yield f"{name}.csv", csv_text(table)
        yield f"{name}.json", "[\n" + ",\n".join(map(dumps, _records(table))) + "\n]\n"


def _records(table: pd.DataFrame) -> Iterator[dict[str, object]]:
    names = [str(name) for name in table.columns]
    for values in zip(*(_values(table[name]) for name in table.columns), strict=True):
        yield dict(zip(names, values, strict=True))


def _values(column: pd.Series) -> list[object]:
    """A column's values as Python objects; non-finite numbers are None."""
    values: list[object] = column.tolist()
    if column.dtype.kind != "f":
        return values
    return [
        value if is_finite else None
        for value, is_finite in zip(values, np.isfinite(column.to_numpy()), strict=True)
    ]
