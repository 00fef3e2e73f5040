"""Scoreboards on a terminal."""

from __future__ import annotations

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from scoring.report.tables import SCREENING, entry_table, number
from scoring.scoreboard import Scoreboard


def print_board(board: Scoreboard, workloads: pd.DataFrame, console: Console | None = None) -> None:
    """Print stamps, the table of scores and the table of times."""
    out = console or Console()
    for stamp in board.stamps:
        out.print(f"MIXED  {stamp}", style="bold red", markup=False)
    out.print(_scores(board))
    out.print(_times(board, workloads))
    if board.is_screening:
        out.print(SCREENING, style="yellow", markup=False)


def _scores(board: Scoreboard) -> Table:
    table = Table(title=f"Score by {board.clock.name} ({board.clock.said_by})")
    table.add_column("submission")
    for name in ("score", "range over [last miss, hit]", "workloads reached"):
        table.add_column(name, justify="right")
    for line in entry_table(board).itertuples():
        span = f"{line.score_low:.4f} - {line.score_high:.4f}"
        reached = f"{line.workloads_reached} of {line.workloads}"
        table.add_row(str(line.submission), f"{line.score:.4f}", span, reached)
    return table


def _times(board: Scoreboard, workloads: pd.DataFrame) -> Table:
    column = board.clock.table_column
    has_steps = "steps_to_target" in workloads.columns and board.clock.name != "steps"
    table = Table(title="To the target, median of studies")
    table.add_column("workload")
    table.add_column("submission")
    heads = [board.clock.unit, *(["steps"] if has_steps else []), "ratio to best", "reached"]
    for head in heads:
        table.add_column(head, justify="right")
    last = None
    for line in workloads.to_dict("records"):
        cells = [number(float(line[column]))]
        if has_steps:
            cells.append(number(float(line["steps_to_target"]), 6))
        ratio = float(line["ratio_to_best"])
        cells.append("-" if not np.isfinite(ratio) else f"{ratio:.3f}")
        cells.append(f"{line['studies_reached']} of {line['studies']}")
        name = "" if line["workload"] == last else str(line["workload"])
        last = line["workload"]
        table.add_row(name, str(line["submission"]), *cells)
    return table
