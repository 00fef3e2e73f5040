"""`harness doctor`: a one-screen report on this machine and a suite."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from harness.cli.flags import AsJson, Device, SuiteName
from harness.cli.say import say
from harness.providers.table import DEFAULT_SANDBOX


def doctor(
    *,
    suite: SuiteName = "quick",
    device: Device = None,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="Measure the machine's speed on every workload; it must be idle."
        ),
    ] = False,
    is_json: AsJson = False,
) -> None:
    """Say whether this machine fits a suite, what else runs on it, and which isolation works."""
    from rich.table import Table

    from harness.cli.machine import choose_device, run_options, say_on
    from harness.core.console import PlainConsole
    from harness.providers.registry import suite as suite_of
    from harness.speed.report import diagnose

    spec, console = suite_of(suite), PlainConsole(stderr=is_json)
    options = run_options(DEFAULT_SANDBOX, None, None, spec.hardware.cores)
    tell = say_on(console) if measure else None
    device, _ = choose_device(device, spec.hardware, f"suite {spec.name}")
    diagnosis = diagnose(spec, device, options, tell)
    if is_json:
        document = {
            "suite": suite,
            "is_target": not diagnosis.differences,
            "is_quiet": not diagnosis.interference,
            "differences": diagnosis.differences,
            "interference": diagnosis.interference,
            "rows": dict(diagnosis.rows),
        }
        say(json.dumps(document, indent=2))
        return
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in diagnosis.rows:
        table.add_row(name, text)
    console.print(table)
    is_target = "not " if diagnosis.differences else ""
    is_quiet = "not quiet now" if diagnosis.interference else "quiet"
    console.print(f"This machine is {is_target}what suite {suite} is meant for; it is {is_quiet}.")
