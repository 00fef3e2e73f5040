"""`harness audit`: rerun chosen trials on other instances, and compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.estimate import DryRun, show_estimate
from harness.cli.flags import DataDir, Sandbox, Threads
from harness.providers.table import DEFAULT_EXECUTOR, STRICT_SANDBOX

if TYPE_CHECKING:
    from rich.table import Table

    from harness.plan.trial import TrialRecord
    from harness.verification.audit import AuditedTrial


NUMBERS = ("claimed (s)", "found (s)", "ratio")


def audit(
    out: Annotated[Path, typer.Argument(help="A folder of records, or a board.")],
    *,
    trial: Annotated[
        list[str] | None,
        typer.Option(
            help="A trial: the end of its folder's name, or its identity's first digits.",
            show_default="the fastest of each name's latest content",
        ),
    ] = None,
    seed: Annotated[str, typer.Option(help="Any text that the submission's author cannot know.")],
    variant: Annotated[str, typer.Option(help="A held-out variant instead of the base.")] = "base",
    store: Annotated[
        Path | None, typer.Option(help="Folder of the audit's records.", show_default="OUT-audit")
    ] = None,
    sandbox: Sandbox = STRICT_SANDBOX,
    data_dir: DataDir = None,
    threads: Threads = None,
    dry_run: DryRun = False,
) -> None:
    """Run chosen trials again at the same point on other instances; exit code 1 if one disagrees.

    The findings are written into the folder's ledger, or the board's log, and mark its entries: a
    trial that agrees covers all that are not faster; an entry whose times are covered is `audited`.

    A variant has no calibrated target: its time is compared with the base's, which shows how much
    the entry depends on the base model.
    """
    from harness.cli.audit_subject import subject_of
    from harness.cli.machine import interruptible, run_options, suite_cores
    from harness.core.console import PlainConsole
    from harness.core.files import path_beside
    from harness.display.load import display_for
    from harness.execution.load import executor
    from harness.plan.plan import Plan
    from harness.verification.audit import AuditedTrial, audit_trial, fastest_trials

    subject = subject_of(out)
    records = subject.find_records(tuple(trial)) if trial else fastest_trials(subject.latest())
    trials = [audit_trial(subject.locate(record.trial), seed, variant) for record in records]
    cores = suite_cores(records[0].trial.suite, threads)
    place = store or path_beside(out, "-audit")
    console = PlainConsole()
    if dry_run:
        plan = Plan(tuple(trials))
        show_estimate(console, [plan], place, DEFAULT_EXECUTOR, rate=None, is_json=False)
        return
    devices = max(record.trial.devices for record in records)
    options = run_options(sandbox, data_dir, threads, cores, devices=devices)
    with interruptible(place), executor(DEFAULT_EXECUTOR, place, display_for(console)) as local:
        reruns = local.run(trials, options)
    audits = [AuditedTrial(one, other) for one, other in zip(records, reruns, strict=True)]
    console.print(_table(audits))
    subject.note(audits)
    for mark in subject.marks(audits):
        console.print(mark)
    if any(one.verdict in ("slower", "not reached") for one in audits):
        raise typer.Exit(1)


def _table(audits: list[AuditedTrial]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("workload", "submission", "claimed (s)", "found (s)", "ratio", "verdict"):
        table.add_column(name, justify="right" if name in NUMBERS else "left")
    for one in audits:
        original = one.original.trial
        workload = f"{original.workload} {one.rerun.trial.variant}".removesuffix(" base")
        times = [_seconds(one.original), _seconds(one.rerun)]
        ratio = "-" if one.ratio is None else f"{one.ratio:.2f}"
        table.add_row(workload, original.submission.name, *times, ratio, one.verdict)
    return table


def _seconds(record: TrialRecord) -> str:
    time_s = record.result.time_to_target_s if record.result else None
    return "-" if time_s is None else f"{time_s:.2f}"
