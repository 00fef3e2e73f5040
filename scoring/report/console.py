"""Scoreboards on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import SupportsFloat

import numpy as np
import pandas as pd
from rich.table import Table

from harness.core.console import PlainConsole
from scoring.attribution import Attribution
from scoring.compare import LEVEL as PAIR_LEVEL
from scoring.compare import Comparison
from scoring.draws import METHODS
from scoring.report.tables import (
    DESCRIPTIVE,
    OFF_CLOCK,
    entry_table,
    number,
    off_clock_text,
    screening_text,
)
from scoring.scoreboard import Scoreboard
from scoring.speedup import PairwiseComparison
from scoring.uncertainty import LEVEL, Uncertainty

NARROW = {"off the clock": 11, "ratio to best": 8}
"""Widths of columns whose heads are wrapped, so that the names of submissions need not be."""


def print_board(
    board: Scoreboard,
    workloads: pd.DataFrame,
    sure: Uncertainty | None = None,
    console: PlainConsole | None = None,
) -> None:
    """Print flags, the tables of scores and times, and the unranked entries."""
    out = console or PlainConsole()
    print_flags(board.flags, out)
    out.print(_scores(board, sure))
    out.print(_times(board, workloads))
    if len(board.unranked_entries):
        out.print(_unranked_table(board.unranked_entries))
    if "setup_s" in workloads.columns:
        out.print(OFF_CLOCK)
    if board.is_screening:
        out.print(screening_text(board), style="yellow")
    if sure is not None:
        out.print(f"Intervals: {LEVEL:.0%}, {METHODS[sure.method]}. {DESCRIPTIVE}")


def print_misses(board: Scoreboard, text: str, console: PlainConsole | None = None) -> None:
    """Print flags and, instead of tables, the reason why there is nothing to score."""
    out = console or PlainConsole()
    print_flags(board.flags, out)
    for line in text.split("\n"):
        out.print(line, style="yellow")


def print_flags(flags: Iterable[str], out: PlainConsole) -> None:
    """Print the flags of a score."""
    for flag in flags:
        out.print(f"MIXED  {flag}", style="bold red")


def _scores(board: Scoreboard, sure: Uncertainty | None) -> Table:
    table = Table(title=f"Score by {board.clock.name} ({board.clock.said_by})")
    table.add_column("submission")
    lines = entry_table(board, sure).to_dict("records")
    heads = [str(head) for head in lines[0] if head != "submission"] if lines else []
    for head in heads:
        table.add_column(head, justify="right")
    for line in lines:
        table.add_row(str(line["submission"]), *(str(line[head]) for head in heads))
    return table


def _times(board: Scoreboard, workloads: pd.DataFrame) -> Table:
    column = board.clock.table_column
    has_steps = "steps_to_target" in workloads.columns and board.clock.name != "steps"
    table = Table(title="To the target, median of studies")
    table.add_column("workload")
    table.add_column("submission", overflow="fold")
    has_free = "setup_s" in workloads.columns
    heads = [board.clock.unit, *(["off the clock"] if has_free else [])]
    heads += [*(["steps"] if has_steps else []), "ratio to best", "reached"]
    for head in heads:
        table.add_column(head, justify="right", max_width=NARROW.get(head))
    last = None
    for line in workloads.to_dict("records"):
        cells = [_cell(line[column])]
        if has_free:
            cells.append(off_clock_text(float(line["setup_s"]), float(line["warm_up_s"])))
        if has_steps:
            cells.append(_cell(line["steps_to_target"], 6))
        ratio = float(line["ratio_to_best"])
        cells.append("-" if not np.isfinite(ratio) else f"{ratio:.3f}")
        cells.append(f"{line['studies_reached']} of {line['studies']}")
        name = "" if line["workload"] == last else str(line["workload"])
        last = line["workload"]
        table.add_row(name, str(line["submission"]), *cells)
    return table


def _unranked_table(entries: pd.DataFrame) -> Table:
    """The table of unranked entries; the flags state the reasons."""
    table = Table(title="Not ranked")
    for head in ("submission", "mark", "workload"):
        table.add_column(head, overflow="fold")
    for head in ("s", "off the clock", "steps", "reached"):
        table.add_column(head, justify="right", max_width=NARROW.get(head))
    for line in entries.to_dict("records"):
        table.add_row(
            str(line["submission"]),
            str(line["mark"]),
            str(line["workload"]),
            _cell(line["time_to_target_s"]),
            off_clock_text(float(line["setup_s"]), float(line["warm_up_s"])),
            _cell(line["steps_to_target"], 6),
            f"{line['studies_reached']} of {line['studies']}",
        )
    return table


def _cell(value: SupportsFloat, digits: int = 4) -> str:
    """A cost to the target in a few characters, so that a table fits into 80 columns."""
    return "missed" if np.isinf(float(value)) else number(float(value), digits)


def print_comparison(
    comparison: Comparison,
    flags: tuple[str, ...],
    attribution: Attribution | None = None,
    console: PlainConsole | None = None,
) -> None:
    """Print a comparison of two entries, its verdict, and the causes of the difference."""
    out = console or PlainConsole()
    print_flags(flags, out)
    table = Table(title=f"{comparison.a} against {comparison.b}: above 1, {comparison.a} is faster")
    table.add_column("workload")
    for head in (
        comparison.a,
        comparison.b,
        "factor",
        f"{PAIR_LEVEL:.0%} interval",
        f"P({comparison.a} faster)",
    ):
        table.add_column(head, justify="right")
    for row, workload in enumerate(comparison.workloads):
        pair = None if comparison.by_workload is None else comparison.by_workload[row]
        times = [number(float(comparison.medians[side, row])) for side in (0, 1)]
        factor_text = (
            f"{comparison.factor.marks[row]} {comparison.factor.by_workload[row]:.3f}".strip()
        )
        table.add_row(workload, *times, factor_text, *_surety(pair))
    overall = f"{comparison.factor.mark} {comparison.factor.overall:.3f}".strip()
    table.add_section()
    table.add_row("geometric mean", "", "", overall, *_surety(comparison.overall), style="bold")
    out.print(table)
    out.print(comparison.verdict())
    if text := comparison.sequential_verdict():
        out.print(text)
    if attribution is not None:
        out.print(attribution.sentence())


def _surety(pair: PairwiseComparison | None) -> tuple[str, str]:
    if pair is None:
        return "-", "-"
    low, _, high = pair.interval(PAIR_LEVEL)
    chance = f"{pair.probability:.2f}"
    if pair.undecided_fraction > 0.01:
        chance += f" ({pair.undecided_fraction:.0%} undecided)"
    return f"{pair.mark} [{low:.3f}, {high:.3f}]".strip(), chance
