"""`harness round`: draw a scoring round's secret seed, and reveal it with the results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.say import quote, say

app = typer.Typer(
    help="The secret seed of a scoring round.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """The secret seed of a scoring round."""


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="The round's name, such as 2026-12.")],
    folder: Annotated[Path, typer.Option(help="Where to write its two files.")] = Path(),
) -> None:
    """Draw a secret round seed and write its commitment, to be published now."""
    from harness.plan.rounds import draw_round, read_round

    public, secret = draw_round(name, folder)
    say(f"commitment: {read_round(public).commitment}")
    say(f"publish now: {public}")
    say(f"keep secret until the results are out: {secret}")
    command = quote("harness", "run", "--seed", f"@{secret}")
    say("run each entry with it twice, as a drawn architecture counts only with its base:")
    say(f"  {command} ...")
    say(f"  {command} --variant drawn ...")
    say("adamw is among the entries to run: its trials set the targets of drawn architectures")


@app.command("reveal")
def reveal(
    secret: Annotated[Path, typer.Argument(help="The round's NAME.secret.json.")],
) -> None:
    """Write the seed into the round's public file, to be published with the results."""
    from harness.plan.rounds import read_round, reveal_round

    public = reveal_round(secret)
    say(f"seed: {read_round(public).seed}")
    say(f"publish: {public}")
    command = quote("harness", "verify", "OUT", "--round", public)
    say(f"anyone can check records with it: {command}")
