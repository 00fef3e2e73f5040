"""A scoreboard as LaTeX tables for a paper; they need only the package booktabs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from harness.core.text import displayable
from scoring.report.tables import entry_table, number
from scoring.scoreboard import Scoreboard
from scoring.uncertainty import Uncertainty

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$",
    "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip
NO_TIME = "--"


def latex_tables(board: Scoreboard, sure: Uncertainty | None = None) -> str:
    """Two `tabular`s: the scores, and the median time to target of each entry and workload.

    In the second, the best time of each workload is bold, and `--` means that most studies did not
    reach the target. The score's flags are comments above the tables.

    Args:
        board: scores and study times of all entries.
        sure: its intervals and ranks; None for a screening.
    """
    flags = [f"% MIXED: {displayable(flag)}" for flag in board.flags]
    scores = entry_table(board, sure).map(_span)
    times = f"% to the target, {board.clock.unit}, median of studies"
    return "\n".join([*flags, _tabular(scores), times, _tabular(_times(board))]) + "\n"


def _times(board: Scoreboard) -> pd.DataFrame:
    """One row per entry, best first; one column per workload."""
    best = np.min(board.medians, axis=0, initial=np.inf, where=~np.isnan(board.medians))
    lines = [
        {"submission": escape(board.times.submissions[row])}
        | {
            escape(workload): _time(board.medians[row, column], best[column])
            for column, workload in enumerate(board.times.workloads)
        }
        for row in board.order()
    ]
    return pd.DataFrame(lines)


def _time(value: float, best: float) -> str:
    if not np.isfinite(value):
        return NO_TIME if np.isinf(value) else ""
    return rf"\textbf{{{number(value)}}}" if value == best else number(value)


def _span(cell: str) -> str:
    """A cell of the table of scores; ranges are set with an en dash."""
    return escape(cell).replace(" - ", "--")


def _tabular(table: pd.DataFrame) -> str:
    """A table of LaTeX cells; the first column is text, the others are numbers."""
    lines = [" & ".join(row) + r" \\" for row in table.to_numpy(dtype=str).tolist()]
    head = " & ".join(table.columns) + r" \\"
    columns = "l" + "r" * (len(table.columns) - 1)
    return "\n".join(
        [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *lines,
         r"\bottomrule", r"\end{tabular}"]
    )  # fmt: skip


def escape(text: str) -> str:
    """A text with LaTeX's special characters escaped."""
    return "".join(SPECIAL.get(character, character) for character in displayable(text))
