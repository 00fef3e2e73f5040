"""`harness withdraw`: withdraw planned trials that have not begun."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.say import quote, say


def withdraw(
    out: Annotated[Path, typer.Argument(help="A folder of records, as `harness run` wrote it.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; it is written into the record.")],
) -> None:
    """Withdraw the planned trials that have not started, so that the others can be scored.

    A trial that has started stays: the same `harness run` command resumes it. The record keeps what
    was withdrawn and why, and the same command plans it again.
    """
    from harness.record.plan import withdraw_plan

    trials = withdraw_plan(out, reason)
    for trial in trials:
        say(f"withdrawn: {trial.folder}")
    if trials:
        say(f"Next: {quote('harness', 'score', out)}")
    else:
        say(f"every trial that is planned in {out} has begun; nothing is withdrawn")
