"""`harness rerun`: the only way to repeat an ended trial; the record shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.say import say


def rerun(
    out: Annotated[Path, typer.Argument(help="A folder of records, as `harness run` wrote it.")],
    *,
    trial: Annotated[
        list[str] | None,
        typer.Option(help="A trial: the end of its folder's name, or its identity's first digits."),
    ] = None,
    with_flagged: Annotated[
        bool, typer.Option("--flagged", help="Every trial flagged for interference.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Why; it is written into the record.")],
) -> None:
    """Reopen ended trials, so that the next `harness run` repeats them.

    The record keeps the earlier attempt and shows that there was one.
    """
    from harness.verification.rerun import chosen_records, open_again

    for record in chosen_records(out, tuple(trial or ()), with_flagged=with_flagged):
        open_again(out, record, reason)
        say(f"open again: {record.trial.folder}")
    say("run them: the same `harness run` command as before")
