"""`harness report`: one self-contained HTML page of a folder of records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.score import Allow, ClockName, RulesName, read_records


def report(
    out: Annotated[Path, typer.Argument(help="A folder of records, as `harness run` wrote it.")],
    *,
    rules: RulesName = "guided-descent",
    clock: ClockName = "seconds",
    allow: Allow = None,
    to: Annotated[
        Path | None, typer.Option(help="The file to write; report.html in the folder if not given.")
    ] = None,
) -> None:
    """Write a page with the table, the curves and the profile; print where it lies."""
    typer.echo(f"report: {write_report(out, rules, clock, allow or [], to)}")


def write_report(
    out: Path, rules: str, clock: str, allow: list[str], to: Path | None = None
) -> Path:
    """Write the report of a folder of records and return its path."""
    from harness.record.table import curves_frame
    from scoring.evaluate import score_results
    from scoring.report.page import render_page, write_page
    from scoring.rules import load_rules

    frame = read_records(out)
    board = score_results(frame, load_rules(rules), clock, allow)
    page = render_page(board, frame, curves_frame(out), out)
    return write_page(page, to or out / "report.html").resolve()
