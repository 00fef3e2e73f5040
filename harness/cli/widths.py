"""`harness widths`: the speed-up over the reference as a function of model width."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.flags import AsJson
from harness.cli.say import say
from harness.cli.score import Allow, Reference

if TYPE_CHECKING:
    from scoring.widths import WidthSpeedup

FORMATS = ("pdf", "svg", "png")


def widths(
    out: Annotated[Path, typer.Argument(help="A folder of records of `harness run --width N`.")],
    *,
    reference: Reference = "adamw",
    allow: Allow = None,
    figure: Annotated[
        Path | None,
        typer.Option(help="Also draw a figure: a file .pdf, .svg or .png.", show_default=False),
    ] = None,
    is_json: AsJson = False,
) -> None:
    """Show how the speed-up over the reference changes with the width of the model.

    Every width has its own target, set by the reference's trials at that width. Intervals need at
    least two studies.
    """
    from harness.analysis.scored import read_trials
    from harness.cli.machine import pick
    from harness.core.console import PlainConsole
    from harness.core.files import write_through
    from scoring.report.paper import encode
    from scoring.report.widths import widths_figure, widths_table
    from scoring.rules import load_rules
    from scoring.widths import of_widths, width_speedups

    allowed_rules = tuple(allow or ())
    if figure is not None:
        pick("format of a figure", figure.suffix[1:], FORMATS)
    lines = width_speedups(of_widths(read_trials(out)), load_rules(), reference, allowed_rules)
    if is_json:
        say(json.dumps([document(line) for line in lines], indent=2, allow_nan=False))
    else:
        PlainConsole().print(widths_table(lines, reference))
    if figure is not None:
        write_through(figure, encode(widths_figure(lines, reference), figure.suffix[1:]))
        say(f"drawn: {figure}", err=is_json)


def document(line: WidthSpeedup) -> dict[str, object]:
    """A row as JSON, with null for unknown values."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in line._asdict().items()
    }
