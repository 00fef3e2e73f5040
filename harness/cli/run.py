"""`harness run`: plan, show the plan, run the missing trials, and print a table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.estimate import DryRun, count_text, show_estimate
from harness.cli.flag_groups import expand_groups
from harness.cli.flags import AsJson
from harness.cli.places import Conduct, Place
from harness.cli.placing import place_lines
from harness.cli.plan_lines import total_line
from harness.cli.planning import PlanArguments, plans_of, plans_there, plans_to_estimate
from harness.cli.say import quote, say
from harness.cli.until_settled import settle
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from harness.core.console import PlainConsole
    from harness.execution.base import Executor, RunOptions
    from harness.plan.plan import Plan
    from harness.plan.trial import TrialRecord
    from harness.runs.tracking import Outbox

FAILURE_STATES = ("crashed", "hung", "invalid", "out_of_memory")
NO_TRIAL_EXIT = 3
"""The exit code if no trial could train, for scripts."""
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
Records = tuple["TrialRecord", ...]


@expand_groups
def run(
    *,
    arguments: PlanArguments,
    place: Place,
    conduct: Conduct,
    until_settled: UntilSettled = None,
    with_reference: WithReference = False,
    dry_run: DryRun = False,
    is_json: AsJson = False,
) -> None:
    """Train a submission on workloads and measure the times to their targets.

    Re-running skips finished trials and resumes interrupted ones. A submission is refused on a
    workload if its space says that too few of its steps fit the budget. It makes its first steps
    on each workload before any trial is planned. `--dry-run` shows what `harness plan` shows.
    """
    from harness.core.console import PlainConsole

    if with_reference and (until_settled is not None or not place.is_serial):
        raise HarnessError(
            "--with-reference runs trials one at a time on this machine",
            "leave out --executor, and --until-settled, which runs both in turn anyway",
        )
    console, store = PlainConsole(stderr=is_json), place.store(arguments)
    options, outbox = conduct.options(arguments, place), conduct.outbox(console, store)
    executor = None if dry_run else conduct.open(console, place, store, outbox)
    if until_settled is not None:
        settle(
            console, arguments, until_settled, store, options, executor=executor, is_json=is_json
        )
    elif executor is None:
        plans = plans_to_estimate(
            console,
            arguments,
            store,
            options,
            is_elsewhere=place.is_elsewhere,
            has_reference=with_reference,
        )
        show_estimate(console, plans, store, place.executor, rate=None, is_json=is_json)
    else:
        plans, options = _plans(
            console, arguments, store, options, executor, has_reference=with_reference
        )
        if total := total_line(plans):
            console.print(total)
        records = _run_all(console, plans, store, options, executor, outbox=outbox)
        _finish(console, records, store, has_reference=with_reference, is_json=is_json)


def _plans(
    console: PlainConsole,
    arguments: PlanArguments,
    store: Path,
    options: RunOptions,
    executor: Executor,
    *,
    has_reference: bool,
) -> tuple[list[Plan], RunOptions]:
    """Plan all workloads; also returns the trials' options."""
    from harness.execution.base import RemoteExecutor

    if isinstance(executor, RemoteExecutor):
        return plans_there(console, arguments, store, options, executor)
    plans = plans_of(
        console, arguments, store, options, is_rehearsed=True, has_reference=has_reference
    )
    return plans, options


def _run_all(
    console: PlainConsole,
    plans: list[Plan],
    store: Path,
    options: RunOptions,
    executor: Executor,
    *,
    outbox: Outbox,
) -> list[Records]:
    """Run all workloads; returns their records."""
    from harness.execution.base import RemoteExecutor
    from harness.record.plan import unfinished_trials
    from harness.runs.busy import busy_remark

    is_here = not isinstance(executor, RemoteExecutor)
    if (
        is_here
        and any(unfinished_trials(plan.trials, store) for plan in plans)
        and (it := busy_remark())
    ):
        console.print(f"note: {it}", style="yellow")
    return [
        _run(console, plan, store, options, executor, outbox=outbox, is_alone=len(plans) == 1)
        for plan in plans
    ]


def _run(
    console: PlainConsole,
    plan: Plan,
    store: Path,
    options: RunOptions,
    executor: Executor,
    *,
    outbox: Outbox,
    is_alone: bool,
) -> Records:
    """Run the missing trials of one workload, and show the results."""
    from harness.cli.machine import interruptible
    from harness.display.results import describe_misses, log_end, reasons, results_table
    from harness.record.plan import unfinished_trials
    from harness.runs.run import run_plan

    pending, where = unfinished_trials(plan.trials, store), plan.trials[0].workload
    if not is_alone:
        console.print()
        console.print(f"on {where}", style="bold")
    if not pending:
        console.print(
            f"Everything is done on {where}: {count_text(len(plan.trials))} finished in {store}"
        )
    elif len(pending) < len(plan.trials):
        console.print(f"{count_text(len(plan.trials) - len(pending))} done, {len(pending)} missing")
    with interruptible(store):
        outbox.send(plan.trials)
        records = run_plan(plan, store, options, executor)
    names = dict.fromkeys(record.trial.submission.name for record in records)
    for name in names:
        if len(names) > 1:
            console.print(name, style="bold")
        part = tuple(record for record in records if record.trial.submission.name == name)
        console.print(results_table(part))
        for text in (describe_misses(part), *reasons(part), *log_end(part, store)):
            if text:
                console.print(text, style="yellow", soft_wrap=True)
    return records


def _finish(
    console: PlainConsole,
    records: list[Records],
    store: Path,
    *,
    has_reference: bool,
    is_json: bool,
) -> None:
    """Show the results of all workloads together.

    Raises:
        typer.Exit: there is a workload on which no trial could train.
    """
    from harness.display.results import workloads_table

    own = [_of_submission(each, has_reference=has_reference) for each in records]
    if len(own) > 1:
        console.print()
        console.print(workloads_table(own))
    if is_json:
        say(json.dumps([r.model_dump(mode="json") for each in records for r in each], indent=2))
    if any(all(_has_failed(record) for record in each) for each in own):
        raise typer.Exit(NO_TRIAL_EXIT)
    first = own[0][0].trial
    if first.is_scored:
        console.print()
        for line in place_lines(first, store, has_reference=has_reference):
            console.print(line, soft_wrap=True)
        console.print(f"Next: {quote('harness', 'score', store)}", soft_wrap=True)


def _of_submission(records: Records, *, has_reference: bool) -> Records:
    """The records of the submission, without those of the reference."""
    from harness.speed.reference_training import REFERENCE

    names = {REFERENCE} if has_reference else set()
    return tuple(record for record in records if record.trial.submission.name not in names)


def _has_failed(record: TrialRecord) -> bool:
    return record.result is not None and record.result.state in FAILURE_STATES
