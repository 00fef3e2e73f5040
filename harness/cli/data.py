"""`harness data prepare NAME`: download a data set to the folder where suites look for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.say import say
from harness.core.errors import UnknownNameError

if TYPE_CHECKING:
    from workloads.data.download import Progress

DATA_SETS = ("cifar10", "wikitext-103", "wikitext-2")

app = typer.Typer(
    help="Data sets that the standard suite reads.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """Data sets that the standard suite reads."""


@app.command()
def prepare(
    name: Annotated[str, typer.Argument(help=f"The data set: {', '.join(DATA_SETS)}.")],
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Where to put it.", show_default="the user's data folder"),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Its archive or folder, instead of a download."),
    ] = None,
) -> None:
    """Download a data set or take it from a path, check it and unpack it."""
    from workloads.data.download import prepare_cifar10
    from workloads.data.paths import default_data_dir
    from workloads.data.wikitext import prepare_wikitext

    if name not in DATA_SETS:
        raise UnknownNameError("data set", name, DATA_SETS)
    place = data_dir if data_dir is not None else default_data_dir()
    with _progress_bar(f"downloading {name}") as progress:
        if name == "cifar10":
            folder = prepare_cifar10(place, source, progress)
        else:
            folder = prepare_wikitext(name, place, source, progress)
    say(f"{name} is in {folder}")
    if data_dir is not None:
        say(f"use it with --data-dir {data_dir}")


@contextmanager
def _progress_bar(title: str) -> Iterator[Progress]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    with Progress(
        "{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn(), transient=True
    ) as bar:
        task = bar.add_task(title, total=None, visible=False)

        def show(have_bytes: int, total_bytes: int | None) -> None:
            bar.update(task, completed=have_bytes, total=total_bytes, visible=True)

        yield show
