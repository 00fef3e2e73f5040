"""Flags that several commands have, with one text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Workload = Annotated[str, typer.Option(help="The workload's name; see `harness list`.")]
SuiteName = Annotated[str, typer.Option(help="quick, standard or large.")]
FrameworkName = Annotated[str, typer.Option(help="torch or jax.")]
Sandbox = Annotated[str, typer.Option(help="What confines the worker: plain or kernel.")]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder of downloaded data.", show_default=False)
]
Threads = Annotated[
    int | None,
    typer.Option(help="CPU threads an operation may use.", show_default="the suite's cores"),
]
Device = Annotated[
    str | None,
    typer.Option(help="cpu, cuda or cuda:N.", show_default="the suite's, or else cpu"),
]
