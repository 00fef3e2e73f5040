"""`harness probe`: find what makes a submission fail."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.estimate import DryRun
from harness.cli.flags import AsJson, FrameworkName, Sandbox, Settings, SpaceFile, Threads
from harness.cli.say import say
from harness.providers.table import DEFAULT_FRAMEWORK, DEFAULT_SANDBOX

if TYPE_CHECKING:
    from rich.table import Table

    from experiments.probes.verdicts import Outcome
    from harness.core.console import PlainConsole
    from harness.execution.base import RunOptions
    from harness.plan.plan import Plan, PlanRequest

STYLES = {"pass": "", "fail": "yellow", "diverged": "red", "crashed": "red"}
SHOWN_AT_ONCE = 6
"""The number of submissions that fit in a table; a larger table is only written to the folder."""


def probe(
    submissions: Annotated[
        list[str] | None,
        typer.Argument(help="Names, folders, .py files, module:Class or algoperf:PATH."),
    ] = None,
    *,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="A probe's name; may be repeated.", show_default="all"),
    ] = None,
    framework: FrameworkName = DEFAULT_FRAMEWORK,
    settings: Settings = None,
    space: SpaceFile = None,
    out: Annotated[
        Path, typer.Option(help="Folder of the results; the records are in OUT/records.")
    ] = Path("runs/probes"),
    jobs: Annotated[
        int, typer.Option(min=1, help="Trials at once; verdicts count steps, not seconds.")
    ] = 1,
    time_limit: Annotated[
        float | None,
        typer.Option(help="Seconds after which no further trial starts.", show_default="none"),
    ] = None,
    sandbox: Sandbox = DEFAULT_SANDBOX,
    threads: Threads = None,
    dry_run: DryRun = False,
    is_json: AsJson = False,
) -> None:
    """Try submissions on small problems with one thing wrong each; without a name, list them.

    Up to three points of the search space are tried on each, until one reaches the target.
    Re-running skips finished trials and continues after a time limit. OUT gets verdicts.csv,
    table.md and figure.* of the submissions that have been tried on all probes.
    """
    from experiments.files import check_is_no_file
    from experiments.probes.run import SUITE, plan_probes, probe_names
    from harness.cli.estimate import show_estimate
    from harness.cli.machine import pick, run_options, say_on
    from harness.core.console import PlainConsole
    from harness.execution.load import executor_for
    from harness.providers.registry import suite

    probes = tuple(dict.fromkeys(pick("probe", n, probe_names()) for n in only or probe_names()))
    console = PlainConsole(stderr=is_json)
    if not submissions:
        _list(probes, is_json=is_json)
        return
    check_is_no_file(out)
    requests = [_request(name, framework, settings or (), space) for name in submissions]
    options = run_options(sandbox, None, threads, suite(SUITE).hardware.cores)
    plans = plan_probes(requests, probes)
    if dry_run:
        at = out / "records"
        show_estimate(console, plans, at, executor_for(jobs), rate=None, is_json=is_json)
        return
    outcomes = _run(plans, out, options, jobs, say_on(console), time_limit=time_limit)
    if is_json:
        say(json.dumps([outcome.model_dump() for outcome in outcomes], indent=2))
    elif outcomes:
        _show(console, outcomes, probes, out)


def _request(
    submission: str, framework: str, settings: Sequence[str], space: Path | None
) -> PlanRequest:
    from harness.cli.machine import pick
    from harness.plan.plan import PlanRequest
    from harness.providers.table import FRAMEWORKS
    from harness.submission.adjustment import searched_space, setting_of

    return PlanRequest(
        workload="",
        submission=submission,
        framework=pick("framework", framework, FRAMEWORKS.names),
        space=searched_space(space, submission) if space else None,
        settings=dict(map(setting_of, settings)),
    )


def _run(
    plans: Sequence[Plan],
    out: Path,
    options: RunOptions,
    jobs: int,
    say: Callable[[str], None],
    *,
    time_limit: float | None,
) -> list[Outcome]:
    from experiments.probes.display import ProbesDisplay
    from experiments.probes.results import write_results
    from experiments.probes.run import run_probes
    from harness.cli.machine import interruptible
    from harness.execution.load import executor, executor_for

    until_s = math.inf if time_limit is None else time.monotonic() + time_limit
    store = out / "records"
    with interruptible(store):
        place = executor(executor_for(jobs), store, ProbesDisplay(say), jobs=jobs)
        outcomes = run_probes(plans, store, options, place, until_s, at_once=jobs)
    if outcomes:
        write_results(out, outcomes)
    if remaining := len(plans) - len(outcomes):
        say(f"{remaining} of {len(plans)} verdicts are still to come; the same command goes on")
    return outcomes


def _list(probes: Sequence[str], *, is_json: bool) -> None:
    from experiments.probes.results import about

    if is_json:
        say(json.dumps({probe: about(probe) for probe in probes}, indent=2))
        return
    for probe in probes:
        say(f"{probe:<22}{about(probe)}")


def _show(
    console: PlainConsole, outcomes: Sequence[Outcome], probes: Sequence[str], out: Path
) -> None:
    names = list(dict.fromkeys(outcome.submission for outcome in outcomes))
    if len(names) <= SHOWN_AT_ONCE:
        console.print(_table(outcomes, names, probes))
    for name in names:
        own = [outcome for outcome in outcomes if outcome.submission == name]
        passes = sum(outcome.verdict == "pass" for outcome in own)
        console.print(f"{name} passes {passes} of {len(own)} probes")
    console.print(f"Results: {out / 'table.md'}, {out / 'figure.pdf'}", soft_wrap=True)


def _table(outcomes: Sequence[Outcome], names: Sequence[str], probes: Sequence[str]) -> Table:
    """A table with a row per probe and a column per submission."""
    from rich.table import Table
    from rich.text import Text

    verdicts = {(each.submission, each.probe): each.verdict for each in outcomes}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("probe", no_wrap=True)
    for name in names:
        table.add_column(name)
    for probe in probes:
        own = [verdicts[name, probe] for name in names]
        table.add_row(probe, *(Text(verdict, style=STYLES[verdict]) for verdict in own))
    return table
