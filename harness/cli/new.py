"""`harness new`: a submission to begin with."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.flags import FrameworkName
from harness.cli.say import say


def new(
    name: Annotated[str, typer.Argument(help="The submission's name.")],
    *,
    framework: FrameworkName = "torch",
    way: Annotated[
        str, typer.Option(help="How it is written: build, class or import-path.")
    ] = "build",
    of: Annotated[
        str,
        typer.Option(
            metavar="MODULE:CLASS",
            help="A torch optimizer for matrices alone: it gets the hidden ones, AdamW the rest.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Write a submission to begin with: code, a search space and a test."""
    from harness.authoring.new import WAYS, new_submission
    from harness.cli.machine import pick
    from harness.providers.table import FRAMEWORKS

    written = new_submission(
        name,
        pick("framework", framework, tuple(FRAMEWORKS.shipped_values)),
        pick("way", way, WAYS),
        Path(),
        of,
    )
    for path in written.files:
        say(f"wrote {path}")
    flags = "" if framework == "torch" else f" --framework {framework}"
    location = shlex.quote(written.location)
    say(f"Next: harness check {location}{flags}")
    say(f"      harness run --submission {location}{flags} --workload mlp")
