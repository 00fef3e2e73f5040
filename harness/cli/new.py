"""`harness new`: write a new submission or workload from a template."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.flags import FrameworkName
from harness.cli.say import say
from harness.core.errors import HarnessError
from harness.providers.table import DEFAULT_FRAMEWORK


def new(
    name: Annotated[str, typer.Argument(help="The submission's name.", show_default=False)] = "",
    *,
    workload: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Write a workload of this name instead: a package to install.",
            show_default=False,
        ),
    ] = "",
    framework: FrameworkName = DEFAULT_FRAMEWORK,
    way: Annotated[
        str, typer.Option(help="How it is written: build, class or import-path.")
    ] = "build",
    of: Annotated[
        str,
        typer.Option(
            metavar="MODULE:CLASS",
            help="A torch optimizer only for matrices: it gets the hidden ones, AdamW the rest.",
            show_default=False,
        ),
    ] = "",
    flag: Annotated[
        str,
        typer.Option(
            metavar="KEY",
            help="With --of: a key of its groups, true for matrices; the class then gets all.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Write a first version of a submission (code, search space, test) or a workload package."""
    if bool(name) == bool(workload):
        raise HarnessError(
            "give the name of a submission, or that of a workload",
            "harness new NAME   or   harness new --workload NAME",
        )
    if workload:
        _new_workload(workload)
    else:
        _new_submission(name, framework, way, of, flag)


def _new_workload(name: str) -> None:
    from harness.authoring.workload import new_workload

    for path in new_workload(name, Path()):
        say(f"wrote {path}")
    say(f"Next: pip install --editable ./{name}")
    say(f"      harness check adamw --workload {name}")
    say(f"      harness run --submission adamw --workload {name}")


def _new_submission(name: str, framework: str, way: str, of: str, flag: str) -> None:
    from harness.authoring.new import WAYS, new_submission
    from harness.cli.machine import pick
    from harness.providers.table import FRAMEWORKS

    submission = new_submission(
        name,
        pick("framework", framework, tuple(FRAMEWORKS.shipped_values)),
        pick("way", way, WAYS),
        Path(),
        of=of,
        flag=flag,
    )
    for path in submission.files:
        say(f"wrote {path}")
    flags = "" if framework == DEFAULT_FRAMEWORK else f" --framework {framework}"
    location = shlex.quote(submission.location)
    say(f"Next: harness check {location}{flags}")
    say(f"      harness run --submission {location}{flags} --workload mlp")
