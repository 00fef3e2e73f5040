"""Flags shared by several commands, each with one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Workload = Annotated[str, typer.Option(help="The workload's name; see `harness list`.")]


def named_suite(text: str | None) -> str | None:
    """The name of a suite given by name or as a file; a file's suite is registered by its name."""
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
        help="quick, standard, large, landscapes or probes; or FILE.toml.",
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
Devices = Annotated[
    int,
    typer.Option(
        help="How many devices train one model, on slices of each batch; docs/ENGINES.md."
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Fix a hyperparameter instead of searching it; may be repeated.",
        show_default=False,
    ),
]
SpaceFile = Annotated[
    Path | None,
    typer.Option(
        "--space",
        help="A search space that replaces the submission's own: TOML, or AlgoPerf's JSON.",
    ),
]
COUNT = "the suite's own count"
Submission = Annotated[
    str, typer.Option(help="A known name, a folder or .py file, module:Class, or algoperf:PATH.")
]
Workloads = Annotated[
    list[str] | None,
    typer.Option(
        "--workload",
        help="A workload's name, see `harness list`; may be repeated.",
        show_default="all of the suite",
    ),
]
Ruleset = Annotated[str, typer.Option(help="external or self.")]
Studies = Annotated[int | None, typer.Option(help="How many studies.", show_default=COUNT)]
Trials = Annotated[int | None, typer.Option(help="How many trials a study.", show_default=COUNT)]
Seed = Annotated[str, typer.Option(help="The round seed: any text, or @FILE of a round.")]
Out = Annotated[Path | None, typer.Option(help="Folder of the records.", show_default="runs/SUITE")]
BudgetScale = Annotated[float, typer.Option(help="Factor on every budget; not 1 means unscored.")]
ExecutorName = Annotated[
    str, typer.Option("--executor", help="Where trials run: local, pool, slurm or ray.")
]
ProfileFile = Annotated[
    Path | None,
    typer.Option(
        "--profile",
        help="How the executor asks its engine for machines: a TOML file, see docs/ENGINES.md.",
        show_default=False,
    ),
]
Variant = Annotated[str, typer.Option(help="base, a held-out variant, or drawn.")]
Width = Annotated[
    int | None,
    typer.Option(
        help="Another width of the model, in place of --variant; see `harness widths`.",
        show_default=False,
    ),
]
CheckpointEvery = Annotated[
    float, typer.Option(min=0.0, help="Minimum timed seconds between a trial's checkpoints.")
]
Sinks = Annotated[
    list[str] | None,
    typer.Option(
        "--sink",
        metavar="NAME",
        help="Send ended trials to wandb, mlflow or trackio, between trials; may be repeated.",
        show_default=False,
    ),
]
