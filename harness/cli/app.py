"""The command `harness`: its subcommands, and how errors are shown to the user."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from harness.cli.audit import audit
from harness.cli.baselines import baselines
from harness.cli.board import app as board
from harness.cli.bundle import bundle
from harness.cli.calibrate import calibrate
from harness.cli.check import check
from harness.cli.compare import compare
from harness.cli.container import app as container
from harness.cli.data import app as data
from harness.cli.doctor import doctor
from harness.cli.experiment import experiment
from harness.cli.help_text import join_help_lines
from harness.cli.import_ import app as import_
from harness.cli.list import list_names
from harness.cli.new import new
from harness.cli.plan import plan
from harness.cli.plot import plot
from harness.cli.probe import probe
from harness.cli.report import report
from harness.cli.rerun import rerun
from harness.cli.round import app as round_
from harness.cli.run import run
from harness.cli.say import say
from harness.cli.score import score
from harness.cli.site import site
from harness.cli.trial import trial
from harness.cli.verify import verify
from harness.cli.watch import watch
from harness.cli.widths import widths
from harness.cli.withdraw import withdraw
from harness.core.errors import HarnessError

app = typer.Typer(
    name="harness",
    help="Run training algorithms against standard workloads, on a clock that can be trusted.",
    epilog="First steps: harness new NAME, harness check ./NAME, harness run --submission ./NAME",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _version(is_requested: bool) -> None:
    if is_requested:
        from importlib.metadata import version

        say(f"harness {version('guided-descent')}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Run training algorithms against standard workloads, on a clock that can be trusted."""


# Heavy imports happen inside the commands, so that these stay light.
app.command("new")(new)
app.command("plan")(plan)
app.command("run")(run)
app.command("watch")(watch)
app.command("check")(check)
app.command("probe")(probe)
app.command("score")(score)
app.command("report")(report)
app.command("site")(site)
app.command("compare")(compare)
app.command("baselines")(baselines)
app.command("plot")(plot)
app.command("widths")(widths)
app.command("bundle")(bundle)
app.add_typer(board, name="board")
app.command("list")(list_names)
app.add_typer(data, name="data")
app.add_typer(container, name="container")
app.command("trial")(trial)
app.command("experiment")(experiment)
app.command("calibrate")(calibrate)
app.command("doctor")(doctor)
app.command("verify")(verify)
app.command("rerun")(rerun)
app.command("withdraw")(withdraw)
app.command("audit")(audit)
app.add_typer(round_, name="round")
app.add_typer(import_, name="import")
join_help_lines(app)


def main() -> None:
    """Run the command line; a mistake of the user ends it with a message and exit code 2."""
    try:
        app()
    except (HarnessError, OSError) as error:
        say(f"error: {error}", err=True)
        sys.exit(2)
