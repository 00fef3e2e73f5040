"""`harness list`: what can be run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from harness.core.errors import UnknownNameError

KINDS = ("submissions", "workloads", "suites")


def list_names(
    kind: Annotated[
        str, typer.Argument(help="What to list: submissions, workloads or suites.")
    ] = "submissions",
) -> None:
    """List the submissions, workloads or suites that can be run."""
    from rich.table import Table

    from harness.core.console import PlainConsole

    if kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    rows = {"submissions": _submissions, "workloads": _workloads, "suites": _suites}[kind]
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0), expand=True)
    made = list(rows())
    for place in range(2):
        table.add_column(no_wrap=True, width=max(len(row[place]) for row in made))
    # One line each; what a terminal is too narrow for stands in the space's own file.
    table.add_column(no_wrap=kind == "submissions", overflow="ellipsis", ratio=1)
    for row in made:
        table.add_row(*row, style="bold" if not any(row[1:]) else None)
    PlainConsole().print(table)


def _submissions() -> Iterator[tuple[str, str, str]]:
    """By family, each under its name."""
    from itertools import groupby

    from harness.providers.registry import submission_folders
    from harness.submission.resolution import resolve

    found = {name: resolve(name) for name in submission_folders()}

    def family(name: str) -> str:
        return found[name].space.family

    for title, members in groupby(sorted(found, key=family), key=family):
        yield title, "", ""
        for name in members:
            space = found[name].space
            refused = f" (refused: {', '.join(space.refused)})" if space.refused else ""
            yield name, ", ".join(found[name].frameworks), space.summary + refused


def _workloads() -> Iterator[tuple[str, str, str]]:
    from harness.providers.registry import workload, workload_names

    for name in workload_names():
        spec = workload(name).spec
        yield name, ", ".join(spec.suites), spec.summary


def _suites() -> Iterator[tuple[str, str, str]]:
    from harness.providers.registry import suite, suite_names

    for name in suite_names():
        found = suite(name)
        yield name, ", ".join(found.workloads), found.summary
