"""`harness run`: plan, show the plan, run what is missing, end with a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.estimate import count_text, show_estimate
from harness.cli.flags import (
    AsJson,
    BudgetScale,
    CheckpointEvery,
    DataDir,
    Device,
    Devices,
    ExecutorName,
    FrameworkName,
    Out,
    ProfileFile,
    Ruleset,
    Sandbox,
    Seed,
    Settings,
    Sinks,
    SpaceFile,
    Studies,
    Submission,
    SuiteOfWorkloads,
    Threads,
    Trials,
    Variant,
    Width,
    Workloads,
)
from harness.cli.places import place_lines
from harness.cli.planning import (
    Asked,
    is_elsewhere,
    plans_of,
    plans_there,
    plans_to_estimate,
    variant_of,
)
from harness.cli.say import say
from harness.cli.until_settled import settle
from harness.core.errors import HarnessError
from harness.core.seeds import PUBLIC_ROUND_SEED

if TYPE_CHECKING:
    from harness.core.console import PlainConsole
    from harness.execution.base import Executor, RunOptions
    from harness.plan.plan import Plan
    from harness.plan.trial import TrialRecord
    from harness.runs.tracking import Outbox

NOT_TRAINED = ("crashed", "hung", "invalid", "out_of_memory")
NONE_TRAINED = 3
"""The exit code where no trial could train, so that scripts see it."""
UntilSettled = Annotated[
    str | None,
    typer.Option(
        "--until-settled",
        metavar="A",
        help="Add studies of this and of submission A, in turn, until it is settled which is "
        "faster, up to --studies of each; see docs/SCORING.md.",
        show_default=False,
    ),
]
WithReference = Annotated[
    bool,
    typer.Option(
        "--with-reference",
        help="Run trials of adamw before and after each study, so that a board of another machine "
        "can place this one in seconds; see docs/SITE.md.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what it takes, see `harness plan`; run nothing.")
]


def run(
    *,
    submission: Submission,
    workload: Workloads = None,
    suite: SuiteOfWorkloads = None,
    framework: FrameworkName = "torch",
    ruleset: Ruleset = "external",
    studies: Studies = None,
    trials: Trials = None,
    settings: Settings = None,
    space: SpaceFile = None,
    seed: Seed = PUBLIC_ROUND_SEED,
    out: Out = None,
    data_dir: DataDir = None,
    device: Device = None,
    devices: Devices = 1,
    sandbox: Sandbox = "plain",
    executor: ExecutorName = "local",
    profile: ProfileFile = None,
    budget_scale: BudgetScale = 1.0,
    variant: Variant = "base",
    width: Width = None,
    threads: Threads = None,
    checkpoint_every: CheckpointEvery = 60.0,
    until_settled: UntilSettled = None,
    with_reference: WithReference = False,
    sink: Sinks = None,
    dry_run: DryRun = False,
    is_json: AsJson = False,
) -> None:
    """Train a submission on workloads and measure the times to their targets.

    Repeated, it goes on with the trials that have not finished. A submission is refused on a
    workload where its space says that too few of its steps fit the budget. On each workload it
    makes its first steps before any trial is planned.
    """
    from harness.cli.machine import run_options, say_on
    from harness.core.console import PlainConsole
    from harness.display.results import workloads_table
    from harness.execution.base import RemoteExecutor
    from harness.record.trackers.load import tracker_names
    from harness.runs.tracking import Outbox

    if with_reference and (until_settled is not None or executor != "local"):
        raise HarnessError(
            "--with-reference runs one trial after the other on this machine",
            "leave out --executor, and --until-settled, which runs both in turn anyway",
        )
    asked = Asked(
        submission=submission,
        workloads=workload,
        suite=suite,
        framework=framework,
        ruleset=ruleset,
        studies=studies,
        trials=trials,
        settings=settings,
        space=space,
        seed=seed,
        device=device,
        devices=devices,
        budget_scale=budget_scale,
        variant=variant_of(variant, width),
        with_reference=with_reference,
    )
    console = PlainConsole(stderr=is_json)
    is_remote = is_elsewhere(executor)
    cores = asked.suite_spec.hardware.cores
    options = run_options(
        sandbox, data_dir, threads, cores, devices=devices, is_elsewhere=is_remote
    )
    options = replace(options, checkpoint_s=checkpoint_every)
    store = out or asked.default_store
    outbox = Outbox(store, tracker_names(sink or ()), say_on(console))
    place = (
        None if dry_run else _place(console, executor, store, profile, outbox, is_remote=is_remote)
    )
    if until_settled is not None:
        settle(console, asked, until_settled, store, options, place=place, is_json=is_json)
        return
    if place is None:
        plans = plans_to_estimate(console, asked, store, options, executor)
        show_estimate(console, plans, store, executor, rate=None, is_json=is_json)
        return
    if isinstance(place, RemoteExecutor):
        plans, options = plans_there(console, asked, store, options, place)
    else:
        plans = plans_of(console, asked, store, options, is_rehearsed=True)
    records = [
        _run(console, plan, store, options, place, outbox=outbox, is_alone=len(plans) == 1)
        for plan in plans
    ]
    own = [_of_submission(each, with_reference=with_reference) for each in records]
    if len(records) > 1:
        console.print()
        console.print(workloads_table(own))
    if is_json:
        say(json.dumps([r.model_dump(mode="json") for each in records for r in each], indent=2))
    if any(all(_has_failed(record) for record in each) for each in own):
        raise typer.Exit(NONE_TRAINED)
    first = own[0][0].trial
    if first.is_scored:
        for line in place_lines(first, store, has_reference=with_reference):
            console.print(line, soft_wrap=True)
        console.print(f"Next: harness score {store}", soft_wrap=True)


def _place(
    console: PlainConsole,
    executor: str,
    store: Path,
    profile: Path | None,
    outbox: Outbox,
    *,
    is_remote: bool,
) -> Executor:
    """The executor; one whose engine cannot be reached is refused here, before anything runs."""
    from harness.cli.machine import say_on
    from harness.display.endings import RemoteDisplay
    from harness.display.load import display_for
    from harness.execution.load import executor as executor_of
    from harness.runs.tracking import TrackedDisplay

    display = RemoteDisplay(say_on(console)) if is_remote else display_for(console)
    return executor_of(executor, store, TrackedDisplay(display, outbox), profile=profile)


def _run(
    console: PlainConsole,
    plan: Plan,
    store: Path,
    options: RunOptions,
    place: Executor,
    *,
    outbox: Outbox,
    is_alone: bool,
) -> tuple[TrialRecord, ...]:
    """Run what is missing of one workload, and show what came of it."""
    from harness.cli.machine import interruptible
    from harness.display.results import describe_misses, reasons, results_table
    from harness.record.plan import unfinished
    from harness.runs.run import run_plan

    pending, where = unfinished(plan.trials, store), plan.trials[0].workload
    if not is_alone:
        console.print(f"\non {where}", style="bold")
    if not pending:
        console.print(
            f"Everything is done on {where}: {count_text(len(plan.trials))} finished in {store}"
        )
    elif len(pending) < len(plan.trials):
        console.print(f"{count_text(len(plan.trials) - len(pending))} done, {len(pending)} missing")
    with interruptible(store):
        outbox.send(plan.trials)
        records = run_plan(plan, store, options, place)
    names = dict.fromkeys(record.trial.submission.name for record in records)
    for name in names:
        if len(names) > 1:
            console.print(name, style="bold")
        part = [record for record in records if record.trial.submission.name == name]
        console.print(results_table(part))
        for reason in (*filter(None, [describe_misses(part)]), *reasons(part)):
            console.print(reason, style="yellow", soft_wrap=True)
    return records


def _of_submission(records: Sequence[TrialRecord], *, with_reference: bool) -> list[TrialRecord]:
    """The records of the submission itself, without those of the reference beside it."""
    from harness.speed.reference_training import REFERENCE

    names = {REFERENCE} if with_reference else set()
    return [record for record in records if record.trial.submission.name not in names]


def _has_failed(record: TrialRecord) -> bool:
    return record.result is not None and record.result.state in NOT_TRAINED
