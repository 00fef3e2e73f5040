"""Flags that several commands have, with one text each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Workload = Annotated[str, typer.Option(help="The workload's name; see `harness list`.")]


def named_suite(text: str | None) -> str | None:
    """The name of a suite that is given by name or as a file, which is then known by its name."""
    if text is None or not text.endswith(".toml"):
        return text
    from harness.providers.registry import add_suite

    return add_suite(Path(text))


SuiteName = Annotated[
    str, typer.Option(callback=named_suite, help="quick, standard or large; or FILE.toml.")
]
SuiteOfWorkloads = Annotated[
    str | None,
    typer.Option(
        "--suite",
        callback=named_suite,
        help="quick, standard, large or landscapes; or FILE.toml.",
        show_default="quick, or the only one that the workloads have",
    ),
]
FrameworkName = Annotated[str, typer.Option(help="torch or jax.")]
Sandbox = Annotated[str, typer.Option(help="What confines the worker: plain, kernel or docker.")]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder of downloaded data.", show_default=False)
]
Threads = Annotated[
    int | None,
    typer.Option(help="CPU threads an operation may use.", show_default="the suite's cores"),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document; all else goes to standard error."),
]
Device = Annotated[
    str | None,
    typer.Option(help="cpu, cuda or cuda:N.", show_default="the suite's, or else cpu"),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A hyperparameter that is set and searched no more; may be repeated.",
        show_default=False,
    ),
]
SpaceFile = Annotated[
    Path | None,
    typer.Option(
        "--space",
        help="A search space, in place of the submission's own: TOML, or AlgoPerf's JSON.",
    ),
]
