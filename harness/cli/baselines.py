"""`harness baselines`: the place of a run among the entries of a board."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.say import quote, say
from harness.cli.score import Reference


def baselines(
    store: Annotated[Path, typer.Argument(help="A folder of records, as `harness run` wrote it.")],
    *,
    board: Annotated[
        Path | None,
        typer.Option(
            help="A folder of records or a bundle: the board.",
            show_default="the one that ships for the suite",
        ),
    ] = None,
    clock: Annotated[
        str,
        typer.Option(
            help="steps, of any machine; or seconds, of the board's or by the reference's trials "
            "that were run in between, see `harness score --normalise`."
        ),
    ] = "steps",
    reference: Reference = "adamw",
) -> None:
    """Place a run's entries among those of a board, and say which pairs are settled."""
    from harness.analysis.reference_board import places_of
    from harness.analysis.scored import read_records
    from harness.cli.bundles import opened_store
    from harness.cli.machine import pick

    with ExitStack() as stack:
        theirs = None if board is None else read_records(opened_store(board, stack))
    clock = pick("clock", clock, ("steps", "seconds"))
    places = places_of(read_records(store), theirs, clock, reference, store)
    for place in places:
        for line in place.lines():
            say(line)
    if not places:
        say(f"all entries of {store} are on the board: {quote('harness', 'score', store)}")
