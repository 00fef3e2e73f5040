"""`harness trial`: run one planned trial; every executor calls this."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.flags import CheckpointEvery, DataDir, Sandbox, Threads
from harness.cli.say import say
from harness.core.text import displayable
from harness.providers.table import DEFAULT_EXECUTOR, DEFAULT_SANDBOX


def trial(
    file: Annotated[Path, typer.Argument(help="A trial's JSON, such as a store's trial.json.")],
    *,
    store: Annotated[Path, typer.Option(help="Folder of the records.")],
    sandbox: Sandbox = DEFAULT_SANDBOX,
    data_dir: DataDir = None,
    threads: Threads = None,
    checkpoint_every: CheckpointEvery = 60.0,
    cache_dir: Annotated[
        Path | None,
        typer.Option(
            help="Cache of prepared data: instances, tokens, decoded images.",
            show_default=False,
        ),
    ] = None,
    hardware: Annotated[
        str | None,
        typer.Option(
            help="The hardware fingerprint that this machine must have.", show_default=False
        ),
    ] = None,
) -> None:
    """Run one trial, unless the store has its result, and say how it ended."""
    from harness.cli.machine import interruptible, run_options, suite_cores
    from harness.core.console import PlainConsole
    from harness.display.load import display_for
    from harness.execution.load import executor
    from harness.execution.resolved import check_names
    from harness.machine.gpus import find, show_only
    from harness.record.plan import enter_plan
    from harness.record.store import read_record

    planned_trial = read_record(file).trial
    cores, devices = suite_cores(planned_trial.suite, threads), planned_trial.devices
    options = run_options(sandbox, data_dir, threads, cores, devices=devices)
    options = replace(
        options, checkpoint_s=checkpoint_every, cache_dir=cache_dir, fingerprint=hardware
    )
    check_names(planned_trial)
    if planned_trial.device != "cpu" and (gpu := find(planned_trial.device)) is not None:
        show_only(gpu)
    enter_plan((planned_trial,), store)
    place = executor(DEFAULT_EXECUTOR, store, display_for(PlainConsole()))
    with interruptible(store), place:
        (record,) = place.run((planned_trial,), options)
    if record.result is not None:
        say(f"{record.result.state}: {displayable(record.result.reason)}")
