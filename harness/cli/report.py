"""`harness report`: a self-contained HTML page for a folder of records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.analysis.scored import Source, score_records
from harness.cli.say import say
from harness.cli.score import Allow, ClockName, Reference, RulesName
from harness.core.errors import HarnessError


def report(
    out: Annotated[Path, typer.Argument(help="A folder of records, as `harness run` wrote it.")],
    *,
    rules: RulesName = "guided-descent",
    clock: ClockName = "seconds",
    reference: Reference = "adamw",
    allow: Allow = None,
    to: Annotated[
        Path | None, typer.Option(help="The file to write; report.html in the folder if not given.")
    ] = None,
) -> None:
    """Write a page with the table, the curves and the profile; print its path."""
    source = Source(out, None, rules, clock, tuple(allow or ()))
    say(f"report: {write_report(source, reference, to or out / 'report.html')}")


def write_report(source: Source, reference: str, to: Path) -> Path:
    """Write the report of a folder of records and return its path.

    Raises:
        HarnessError: the source is not a folder of records, or the page cannot be written.
    """
    from scoring.report.page import render_page, write_page
    from scoring.rules import load_rules
    from scoring.speedup import check_reference
    from scoring.uncertainty import assess

    if source.out is None:
        raise HarnessError("a report needs a folder of records", "harness report OUT")
    scores = score_records(source, source.out, load_rules(source.rules), keep_curves=True)
    check_reference(reference, scores.board.times.submissions)
    sure = assess(scores.board, reference)
    page = render_page(scores.board, sure, scores.trials, scores.curves(), to.parent)
    return write_page(page, to).resolve()
