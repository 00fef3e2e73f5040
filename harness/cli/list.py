"""`harness list`: the available submissions, workloads and suites."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated

import typer

from harness.cli.flags import AsJson
from harness.cli.say import say
from harness.core.errors import UnknownNameError

KINDS = ("submissions", "workloads", "suites")


def list_names(
    kind: Annotated[
        str, typer.Argument(help="What to list: submissions, workloads or suites.")
    ] = "submissions",
    *,
    is_json: AsJson = False,
) -> None:
    """List the submissions, workloads or suites that can be run."""
    from rich.table import Table

    from harness.core.console import PlainConsole

    if kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    if is_json:
        documents = {"submissions": _submission_documents, "workloads": _workload_documents}
        say(json.dumps(documents.get(kind, _suite_documents)(), indent=2))
        return
    rows = {"submissions": _submissions, "workloads": _workloads, "suites": _suites}[kind]
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0), expand=True)
    table_rows = list(rows())
    for place in range(2):
        table.add_column(no_wrap=True, width=max(len(row[place]) for row in table_rows))
    # One line each; what a terminal is too narrow for stands in the space's own file.
    table.add_column(no_wrap=kind == "submissions", overflow="ellipsis", ratio=1)
    for row in table_rows:
        table.add_row(*row, style="bold" if not any(row[1:]) else None)
    PlainConsole().print(table)


def _submission_documents() -> dict[str, object]:
    """All submissions by name, with the descriptions in their search spaces."""
    from harness.providers.registry import submission_folders
    from harness.submission.resolution import resolve

    return {name: resolve(name).space.model_dump(mode="json") for name in submission_folders()}


def _workload_documents() -> dict[str, object]:
    """All workloads by name: their sizes in each suite, targets and budgets."""
    from harness.providers.registry import workload, workload_names

    return {name: workload(name).spec.model_dump(mode="json") for name in workload_names()}


def _suite_documents() -> dict[str, object]:
    """All suites by name: workloads, rulesets, hardware."""
    from harness.providers.registry import suite, suite_names

    return {name: suite(name).model_dump(mode="json") for name in suite_names()}


def _submissions() -> Iterator[tuple[str, str, str]]:
    """Submissions by family."""
    from itertools import groupby

    from harness.providers.registry import submission_folders
    from harness.submission.resolution import resolve

    submissions = {name: resolve(name) for name in submission_folders()}

    def family(name: str) -> str:
        return submissions[name].space.family

    for title, members in groupby(sorted(submissions, key=family), key=family):
        yield title, "", ""
        for name in members:
            space = submissions[name].space
            refusals = f" (refused: {', '.join(space.refused)})" if space.refused else ""
            yield name, ", ".join(submissions[name].frameworks), space.summary + refusals


def _workloads() -> Iterator[tuple[str, str, str]]:
    from harness.providers.registry import workload, workload_names

    for name in workload_names():
        spec = workload(name).spec
        yield name, ", ".join(spec.suites), spec.summary


def _suites() -> Iterator[tuple[str, str, str]]:
    from harness.providers.registry import suite, suite_names

    for name in suite_names():
        spec = suite(name)
        count = len(spec.workloads)
        yield (
            name,
            f"{count} workload{'s' * (count != 1)}",
            f"{spec.summary} ({', '.join(spec.workloads)})",
        )
