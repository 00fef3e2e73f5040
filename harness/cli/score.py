"""`harness score`: times to target, steps to target and scores, from records or a table."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated

import typer

from harness.analysis.scored import Source, load_board
from harness.cli.say import quote, say
from harness.core.files import write_whole
from harness.core.text import csv_text

Out = Annotated[Path | None, typer.Argument(help="A folder of records, as `harness run` wrote it.")]
TimesFile = Annotated[
    Path | None,
    typer.Option(help="Score this CSV instead: submission, workload, study, time_to_target_s."),
]
RulesName = Annotated[str, typer.Option(help="Rules: a shipped name, or the path of a TOML file.")]
ClockName = Annotated[str, typer.Option(help="seconds, steps, examples, flops or joules.")]
Allow = Annotated[
    list[str] | None,
    typer.Option(help="A rule to override, as a refusal names it; the output is flagged."),
]
Normalise = Annotated[
    Path | None,
    typer.Option(
        help="Records of another machine, put into OUT's seconds by the reference's trials that "
        "were run there in between; the output is flagged.",
        show_default=False,
    ),
]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write everything here as JSON.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", help="Write the table here as CSV.")]
LatexFile = Annotated[
    Path | None, typer.Option("--latex", help="Write both tables here as LaTeX (booktabs).")
]


Reference = Annotated[str, typer.Option(help="The submission that speed-ups are measured against.")]
Resamples = Annotated[
    int, typer.Option(min=100, help="Resamples (or draws) behind intervals and ranks.")
]


def score(
    out: Out = None,
    *,
    times: TimesFile = None,
    rules: RulesName = "guided-descent",
    clock: ClockName = "seconds",
    reference: Reference = "adamw",
    resamples: Resamples = 2000,
    allow: Allow = None,
    normalise: Normalise = None,
    json: JsonFile = None,
    csv: CsvFile = None,
    latex: LatexFile = None,
) -> None:
    """Print times to target, steps to target and the score of every entry."""
    from scoring.report.console import print_board, print_misses
    from scoring.report.latex import latex_tables
    from scoring.report.misses import no_hits_text
    from scoring.report.tables import workload_table
    from scoring.speedup import check_reference
    from scoring.uncertainty import assess

    allowed_rules = tuple(allow or ())
    board, frame = load_board(Source(out, times, rules, clock, allowed_rules, normalise, reference))
    check_reference(reference, board.times.submissions)
    table = workload_table(board, frame)
    sure = assess(board, reference, resamples)
    if frame is not None and (text := no_hits_text(frame)):
        print_misses(board, text)
    else:
        print_board(board, table, sure)
        if out is not None:
            say(f"Next: {quote('harness', 'report', out)}")
    if json is not None:
        document = board.to_json() | {"uncertainty": sure.to_json(board) if sure else None}
        write_whole(json, json_module.dumps(document, indent=1, allow_nan=False) + "\n")
    if csv is not None:
        write_whole(csv, csv_text(table))
    if latex is not None:
        write_whole(latex, latex_tables(board, sure))
