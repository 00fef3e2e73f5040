"""Check a target: whole studies of a baseline under the real budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.calibration.summary import Check
from harness.execution.load import executor
from harness.plan.plan import Plan, PlanRequest
from harness.plan.trial import TrialRecord
from harness.providers.table import DEFAULT_EXECUTOR
from harness.runs.run import plan_here, run_plan

if TYPE_CHECKING:
    from harness.display.base import Display
    from harness.execution.base import RunOptions

CHECK_SEED = "calibration-check"
"""The round seed of the check; its instances are neither the calibration's nor the public ones."""


def check_plan(
    request: PlanRequest,
    studies: int,
    store: Path,
    options: RunOptions,
    say: Callable[[str], None],
) -> Plan:
    """The plan of a check; its arguments are those of `check`."""
    request = replace(request, studies=studies, round_seed=CHECK_SEED)
    return plan_here(request, options, store, say)


def check(
    request: PlanRequest, studies: int, store: Path, options: RunOptions, display: Display
) -> Check:
    """Run whole studies as a user would, and count those that reach the target.

    Args:
        request: the baseline, workload, suite, framework and device.
        studies: the number of studies.
        store: the folder of the trials' records; finished trials are not run again.
        options: the trials' options on this machine.
        display: shows the trials.
    """
    plan = check_plan(request, studies, store, options, display.note)
    records = run_plan(plan, store, options, executor(DEFAULT_EXECUTOR, store, display))
    times = tuple(best_time(records, study) for study in range(1, studies + 1))
    return Check(
        framework=request.framework,
        submission=request.submission,
        studies=studies,
        trials_a_study=len(plan.trials) // studies,
        reached=sum(time is not None for time in times),
        times_s=times,
    )


def best_time(records: Iterable[TrialRecord], study: int) -> float | None:
    """A study's time, that of its best trial, in seconds; None if no trial reached the target."""
    times = [
        record.result.time_to_target_s
        for record in records
        if record.trial.study == study
        and record.result is not None
        and record.result.time_to_target_s is not None
    ]
    return min(times, default=None)
