"""`harness compare`: two entries side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from harness.analysis.results import comparison_of
from harness.analysis.scored import Source
from harness.cli.flags import AsJson
from harness.cli.say import say
from harness.cli.score import Allow, ClockName, RulesName, TimesFile


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
    is_json: AsJson = False,
) -> None:
    """Say whether A is faster than B, by how much, how surely, and what would settle it."""
    from scoring.report.console import print_comparison

    folder = Path("runs/quick") if out is None and times is None else out
    source = Source(folder, times, rules, clock, tuple(allow or ()))
    comparison, attribution, flags = comparison_of(a, b, source)
    if is_json:
        where = attribution.to_json() if attribution else None
        document = comparison.to_json() | {"attribution": where, "flags": flags}
        say(json.dumps(document, indent=2, allow_nan=False))
    else:
        print_comparison(comparison, flags, attribution)
