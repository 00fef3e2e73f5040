"""`harness plot`: figures for a paper, with the same values as the report."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.analysis.scored import Source, score_records
from harness.cli.say import say
from harness.cli.score import Allow, ClockName, Reference, RulesName


class Kind(StrEnum):
    """The kind of figure."""

    PROFILE = "profile"
    CURVES = "curves"
    SPEEDUP = "speedup"
    RANKS = "ranks"
    SENSITIVITY = "sensitivity"
    TUNING = "tuning"
    DIAGNOSTICS = "diagnostics"


class Format(StrEnum):
    """The file format of a figure."""

    PDF = "pdf"
    SVG = "svg"
    PNG = "png"


class Width(StrEnum):
    """The width of a figure."""

    COLUMN = "column"
    PAGE = "page"


def plot(
    kind: Annotated[Kind, typer.Argument(help="The kind of figure.")],
    store: Annotated[Path, typer.Argument(help="A folder of records, as `harness run` wrote it.")],
    *,
    format_: Annotated[Format, typer.Option("--format", help="The file format.")] = (Format.PDF),
    width: Annotated[
        Width, typer.Option(help="The width of a column or of a page.")
    ] = Width.COLUMN,
    out: Annotated[
        Path | None, typer.Option(help="The folder of the figures.", show_default="STORE/figures")
    ] = None,
    rules: RulesName = "guided-descent",
    clock: ClockName = "seconds",
    reference: Reference = "adamw",
    allow: Allow = None,
) -> None:
    """Draw figures for a paper: each submission has one colour in all of them."""
    from harness.core.files import write_through
    from scoring.report.paper import WIDTHS, Drawing, encode, paper_figures
    from scoring.rules import load_rules
    from scoring.site.names import file_names
    from scoring.speedup import check_reference
    from scoring.uncertainty import assess

    source = Source(store, None, rules, clock, tuple(allow or ()))
    scores = score_records(source, store, load_rules(rules), keep_curves=True, with_claims=True)
    board = scores.board
    check_reference(reference, board.times.submissions)
    sure, curves = assess(board, reference), scores.curves()
    drawing = Drawing(board, sure, scores.trials, curves, WIDTHS[width])
    folder = out or store / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    figures = paper_figures(kind, drawing)
    names = file_names(figures)
    for name, figure in figures.items():
        path = folder / f"{names[name]}.{format_}"
        write_through(path, encode(figure, format_))
        say(f"{kind}: {path}")
