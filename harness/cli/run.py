"""`harness run`: plan, show the plan, run what is missing, end with a table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.estimate import count_text, duration, show_estimate
from harness.cli.flags import (
    AsJson,
    DataDir,
    Device,
    FrameworkName,
    Sandbox,
    Settings,
    SpaceFile,
    SuiteOfWorkloads,
    Threads,
)
from harness.cli.say import say
from harness.core.seeds import PUBLIC_ROUND_SEED

if TYPE_CHECKING:
    from harness.core.console import PlainConsole
    from harness.execution.base import RunOptions
    from harness.plan.plan import Plan, PlanRequest
    from harness.plan.trial import TrialBudget, TrialRecord

NOT_TRAINED = ("crashed", "hung", "invalid", "out_of_memory")
NONE_TRAINED = 3
"""The exit code where no trial could train, so that scripts see it."""
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
ExecutorName = Annotated[str, typer.Option("--executor", help="What places the trials.")]
Variant = Annotated[str, typer.Option(help="base, a held-out variant, or drawn.")]
CheckpointEvery = Annotated[
    float, typer.Option(min=0.0, help="Least timed seconds between a trial's checkpoints.")
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
    sandbox: Sandbox = "plain",
    executor: ExecutorName = "local",
    budget_scale: BudgetScale = 1.0,
    variant: Variant = "base",
    threads: Threads = None,
    checkpoint_every: CheckpointEvery = 60.0,
    dry_run: DryRun = False,
    is_json: AsJson = False,
) -> None:
    """Train a submission on workloads and measure the times to their targets.

    Repeated, it goes on with the trials that have not finished. A submission is refused on a
    workload where its space says that too few of its steps fit the budget. On each workload it
    makes its first steps before any trial is planned.
    """
    from harness.cli.machine import choose_device, pick, ready_device, run_options, say_on
    from harness.core.console import PlainConsole
    from harness.display.results import workloads_table
    from harness.plan.plan import RULESETS, PlanRequest
    from harness.plan.rounds import seed_of
    from harness.providers.registry import default_suite
    from harness.providers.registry import suite as suite_of
    from harness.providers.registry import workload as workload_of
    from harness.providers.table import FRAMEWORKS
    from harness.submission.adjustment import searched_space, setting_of

    suite = suite or default_suite(workload or ())
    hardware, console = suite_of(suite).hardware, PlainConsole(stderr=is_json)
    device_name, remark = choose_device(device, suite_of(suite))
    names = tuple(dict.fromkeys(workload or suite_of(suite).workloads))
    sizes = [workload_of(name).at(suite) for name in names]
    request = PlanRequest(
        workload="",
        submission=submission,
        suite=suite,
        framework=pick("framework", framework, FRAMEWORKS.names),
        ruleset=pick("ruleset", ruleset, RULESETS),
        round_seed=seed_of(seed),
        variant=variant,
        device=ready_device(device_name, framework, sizes, say_on(console)),
        studies=studies,
        trials=trials,
        budget_scale=budget_scale,
        space=searched_space(space, submission) if space else None,
        settings=dict(map(setting_of, settings or ())),
    )
    options = run_options(sandbox, data_dir, threads, hardware.cores)
    options = replace(options, checkpoint_s=checkpoint_every)
    requests = tuple(replace(request, workload=name) for name in names)
    store = out or Path("runs") / suite
    plans = plans_of(console, requests, store, options, remark, is_rehearsed=not dry_run)
    if dry_run:
        show_estimate(console, plans, store, executor, rate=None, is_json=is_json)
        return
    records = []
    for plan in plans:
        if len(plans) > 1:
            console.print(f"\non {plan.trials[0].workload}", style="bold")
        records.append(_run(console, plan, store, options, executor))
    if len(records) > 1:
        console.print()
        console.print(workloads_table(records))
    if is_json:
        say(json.dumps([r.model_dump(mode="json") for each in records for r in each], indent=2))
    if any(all(_has_failed(record) for record in each) for each in records):
        raise typer.Exit(NONE_TRAINED)
    if any(trial.is_scored for plan in plans for trial in plan.trials):
        console.print(f"Next: harness score {store}", soft_wrap=True)


def plans_of(
    console: PlainConsole,
    requests: tuple[PlanRequest, ...],
    store: Path,
    options: RunOptions,
    remark: str,
    *,
    is_rehearsed: bool = True,
) -> list[Plan]:
    """The plans of all workloads; a mistake is seen before the first of them trains."""
    from harness.cli.machine import interruptible, say_on
    from harness.runs.run import plan_here, rehearse_plan

    plans = []
    with interruptible(store):
        for request in requests:
            plan = plan_here(request, options, store, say_on(console))
            _show_plan(console, request, plan, (*filter(None, [remark]), *plan.remarks))
            if is_rehearsed:
                rehearse_plan(plan, store, options)
            plans.append(plan)
    return plans


def _run(
    console: PlainConsole, plan: Plan, store: Path, options: RunOptions, executor: str
) -> tuple[TrialRecord, ...]:
    """Run what is missing of one workload, and show what came of it."""
    from harness.cli.machine import interruptible
    from harness.display.load import display_for
    from harness.display.results import describe_misses, reasons, results_table
    from harness.execution.load import executor as executor_of
    from harness.record.plan import unfinished
    from harness.runs.run import run_plan

    pending, where = unfinished(plan.trials, store), plan.trials[0].workload
    if not pending:
        console.print(
            f"Everything is done on {where}: {count_text(len(plan.trials))} finished in {store}"
        )
    elif len(pending) < len(plan.trials):
        console.print(f"{count_text(len(plan.trials) - len(pending))} done, {len(pending)} missing")
    with interruptible(store):
        records = run_plan(plan, store, options, executor_of(executor, store, display_for(console)))
    console.print(results_table(records))
    for reason in (*filter(None, [describe_misses(records)]), *reasons(records)):
        console.print(reason, style="yellow", soft_wrap=True)
    return records


def _has_failed(record: TrialRecord) -> bool:
    return record.result is not None and record.result.state in NOT_TRAINED


def _show_plan(
    console: PlainConsole, request: PlanRequest, plan: Plan, remarks: tuple[str, ...]
) -> None:
    first = plan.trials[0]
    lines = [
        f"{request.submission} ({request.framework}) on {request.workload}, "
        f"suite {request.suite}, ruleset {request.ruleset}, {request.device}",
        f"target: {first.target.metric} {first.target.value:g}",
        *_speed_lines(first.budget),
        _plan_line(plan),
    ]
    for line in lines:
        console.print(line)
    for remark in remarks:
        console.print(f"note: {remark}", style="yellow")


def _plan_line(plan: Plan) -> str:
    budget, count = plan.trials[0].budget, count_text(len(plan.trials))
    if budget.steps is not None:
        return f"plan: {count} of at most {budget.steps} steps"
    return (
        f"plan: {count} of at most {budget.runtime_s:.4g} s; at most "
        f"{duration(plan.timed_s)} on the clock, {duration(plan.worst_case_s)} with warm-up"
    )


def _speed_lines(budget: TrialBudget) -> tuple[str, ...]:
    if (speed := budget.speed) is None:
        return ()
    here, there = 1.0 / speed.step_s, 1.0 / speed.reference.step_s
    return (
        f"speed: {here:,.4g} adamw steps a second here, {there:,.4g} on the reference machine: "
        f"budget {budget.runtime_s:.4g} s",
    )
