"""`harness trial`: run one planned trial; the body that every executor calls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def trial(
    file: Annotated[Path, typer.Argument(help="A trial's JSON, such as a store's trial.json.")],
    store: Annotated[Path, typer.Option(help="Folder of the records.")],
    sandbox: Annotated[str, typer.Option(help="What confines the worker.")] = "plain",
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of downloaded data.", show_default=False)
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="CPU threads an operation may use.", show_default="the suite's cores"),
    ] = None,
) -> None:
    """Run one trial, if the store holds no result of it, and say how it ended."""
    from rich.console import Console

    from harness.cli.machine import interruptible, run_options
    from harness.display import display_for
    from harness.executors.local import run_local
    from harness.plan.store import write_plan
    from harness.record.store import read_record
    from harness.registry import suite

    planned = read_record(file).trial
    options = run_options(sandbox, data_dir, threads, suite(planned.suite).hardware.cores)
    write_plan((planned,), store)
    with interruptible(store):
        (record,) = run_local((planned,), store, options, display_for(Console()))
    if record.result is not None:
        typer.echo(f"{record.result.state}: {record.result.reason}")
