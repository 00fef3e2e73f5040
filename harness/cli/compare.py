"""`harness compare`: two entries side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.score import Allow, ClockName, RulesName, Source, TimesFile, load_board

if TYPE_CHECKING:
    from scoring.compare import Comparison


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A submission.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The one it is compared with.")],
    *,
    out: Annotated[
        Path | None, typer.Option(help="A folder of records; runs/quick if not given.")
    ] = None,
    times: TimesFile = None,
    rules: RulesName = "guided-descent",
    clock: ClockName = "seconds",
    allow: Allow = None,
) -> None:
    """Say where A is faster than B, by how much, how surely, and what would settle it."""
    from scoring.report.console import print_comparison

    folder = Path("runs/quick") if out is None and times is None else out
    source = Source(folder, times, rules, clock, tuple(allow or ()))
    comparison, flags = make_comparison(a, b, source)
    print_comparison(comparison, flags)


def make_comparison(a: str, b: str, source: Source) -> tuple[Comparison, tuple[str, ...]]:
    """The comparison of two entries of a folder of records or of a table, and its flags."""
    from scoring.compare import compare_entries

    board, _ = load_board(source)
    return compare_entries(board.times, a, b, board.rules), board.flags
