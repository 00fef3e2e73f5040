"""The command `harness`: its subcommands and how errors reach the user."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated

import typer

from harness.errors import HarnessError

app = typer.Typer(
    name="harness",
    help="Run training algorithms against standard workloads, on a clock that can be trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_COMMANDS = {
    "run": ("run", "run"),
    "trial": ("trial", "trial"),
    "score": ("score", "score"),
    "report": ("report", "report"),
    "compare": ("compare", "compare"),
    "list": ("list", "list_names"),
    "calibrate": ("calibrate", "calibrate"),
}
"""Each subcommand's module in this package and its function; heavy imports happen inside them."""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"harness {version('guided-descent')}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Run training algorithms against standard workloads, on a clock that can be trusted."""


def _register() -> None:
    for name, (module, function) in _COMMANDS.items():
        if find_spec(f"harness.cli.{module}") is not None:
            app.command(name)(getattr(import_module(f"harness.cli.{module}"), function))
    for name, module in (("data", "data"), ("import", "import_")):
        if find_spec(f"harness.cli.{module}") is not None:
            app.add_typer(import_module(f"harness.cli.{module}").app, name=name)


_register()


def main() -> None:
    """Run the command line; a mistake of the user ends it with a message and exit code 2."""
    try:
        app()
    except HarnessError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
