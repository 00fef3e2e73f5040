"""`harness check`: check that a submission conforms to the interface, before any trial."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.flags import (
    AsJson,
    DataDir,
    FrameworkName,
    Sandbox,
    Settings,
    SpaceFile,
    SuiteOfWorkloads,
    Threads,
)
from harness.cli.say import quote, say
from harness.providers.table import DEFAULT_FRAMEWORK, DEFAULT_SANDBOX

if TYPE_CHECKING:
    from rich.table import Table

    from harness.core.console import PlainConsole
    from harness.runs.check import WorkloadCheck

FAILURE_EXIT = 1
"""The exit code if a check failed."""


def check(
    submission: Annotated[
        str,
        typer.Argument(help="A known name, a folder or .py file, module:Class, or algoperf:PATH."),
    ],
    *,
    workload: Annotated[
        list[str] | None,
        typer.Option(help="A workload's name; may be repeated.", show_default="all of the suite"),
    ] = None,
    suite: SuiteOfWorkloads = None,
    framework: FrameworkName = DEFAULT_FRAMEWORK,
    settings: Settings = None,
    space: SpaceFile = None,
    sandbox: Sandbox = DEFAULT_SANDBOX,
    threads: Threads = None,
    data_dir: DataDir = None,
    is_json: AsJson = False,
) -> None:
    """Run a submission's first steps on each workload's model and check them in many ways.

    Exit code 0: all passed, perhaps with warnings; 1: something failed; 2: an error in the request.
    If all passed, it ends with the command that trains it.
    """
    from harness.cli.machine import pick, run_options, say_on
    from harness.core.console import PlainConsole
    from harness.plan.plan import PlanRequest
    from harness.providers.registry import default_suite
    from harness.providers.registry import suite as suite_of
    from harness.providers.table import FRAMEWORKS
    from harness.runs.check import check_submission
    from harness.submission.adjustment import searched_space, setting_of

    flags = _run_flags(workload, suite, framework, settings, space, data_dir=data_dir)
    suite = suite or default_suite(workload or ())
    spec, console = suite_of(suite), PlainConsole(stderr=is_json)
    options = run_options(sandbox, data_dir, threads, spec.hardware.cores)
    requests = tuple(
        PlanRequest(
            workload=name,
            submission=submission,
            suite=suite,
            framework=pick("framework", framework, FRAMEWORKS.names),
            space=searched_space(space, submission) if space else None,
            settings=dict(map(setting_of, settings or ())),
        )
        for name in dict.fromkeys(workload or spec.workloads)
    )
    checks = list(check_submission(requests, options, say_on(console)))
    if is_json:
        say(json.dumps(document(submission, framework, checks), indent=2))
    else:
        _show(console, checks)
    if any(each.has_failed for each in checks):
        raise typer.Exit(FAILURE_EXIT)
    if not is_json:
        command = quote("harness", "run", "--submission", submission, *flags)
        console.print(f"Next: {command}", soft_wrap=True)


def _run_flags(
    workloads: list[str] | None,
    suite: str | None,
    framework: str,
    settings: list[str] | None,
    space: Path | None,
    *,
    data_dir: Path | None,
) -> Iterator[str]:
    """The flags with which `harness run` trains what has been checked."""
    from harness.providers.registry import add_suite, suite_files

    for workload in workloads or ():
        yield from ("--workload", workload)
    if suite is not None:
        files = {add_suite(file): str(file) for file in suite_files()}
        yield from ("--suite", files.get(suite, suite))
    if framework != DEFAULT_FRAMEWORK:
        yield from ("--framework", framework)
    for setting in settings or ():
        yield from ("--set", setting)
    if space is not None:
        yield from ("--space", str(space))
    if data_dir is not None:
        yield from ("--data-dir", str(data_dir))


def document(submission: str, framework: str, checks: list[WorkloadCheck]) -> dict[str, object]:
    """All findings, in the format of docs/JSON.md."""
    from harness.runs.check import MENDS

    return {
        "submission": submission,
        "framework": framework,
        "passed": not any(each.has_failed for each in checks),
        "workloads": [each.model_dump(mode="json") for each in checks],
        "mends": MENDS,
    }


def _show(console: PlainConsole, checks: list[WorkloadCheck]) -> None:
    from harness.runs.check import MENDS

    console.print()
    console.print(_table(checks))
    for each in checks:
        for finding in each.findings:
            if finding.verdict != "pass":
                console.print(
                    f"{finding.verdict}: {finding.check} on {each.workload}: {finding.detail}",
                    style="red" if finding.verdict == "fail" else "yellow",
                    soft_wrap=True,
                )
                console.print(f"  {MENDS[finding.check]}", soft_wrap=True)


def _table(checks: list[WorkloadCheck]) -> Table:
    """A table with a row per check and a column per workload."""
    from rich.table import Table

    from harness.runs.check import MENDS

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("check", no_wrap=True)
    for each in checks:
        table.add_column(each.workload, no_wrap=True, justify="right")
    for name in MENDS:
        verdicts = [{f.check: f.verdict for f in each.findings}.get(name, "-") for each in checks]
        table.add_row(name, *verdicts)
    table.add_row("first step", *(_milliseconds(each.first_step_s) for each in checks))
    table.add_row("a step", *(_milliseconds(each.step_s) for each in checks))
    table.add_row("a step of adamw", *(_milliseconds(each.reference_step_s) for each in checks))
    table.add_row("memory", *(_mebibytes(each.memory_bytes) for each in checks))
    table.add_row("memory of adamw", *(_mebibytes(each.reference_memory_bytes) for each in checks))
    return table


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds else "-"


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB" if count else "-"
