"""One benchmark run: plan with this machine's speed, write the plan, run the missing trials."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from harness.display.base import Display
from harness.display.endings import EndingsDisplay
from harness.execution.base import Executor, RemoteExecutor, RunOptions
from harness.execution.devices import check_devices
from harness.execution.load import executor as executor_of
from harness.execution.rehearsal import rehearse
from harness.execution.resolved import resolve_trial
from harness.machine.cores import allowed_cores
from harness.plan.plan import Plan, PlanRequest, plan
from harness.plan.trial import MachineSpeed, TrialRecord
from harness.providers.table import DEFAULT_EXECUTOR
from harness.record.plan import unfinished_trials, write_plan
from harness.runs.remote import prepare_there
from harness.runs.sources import check_sources
from harness.speed.factor import machine_speed, planned_speeds


def plan_here(
    request: PlanRequest,
    options: RunOptions,
    store: Path,
    say: Callable[[str], None],
    speeds: Sequence[MachineSpeed] = (),
) -> Plan:
    """Plan a request with budgets scaled by this machine's speed.

    Args:
        request: the request; its speed is filled in.
        options: the trials' threads and folders.
        store: the folder of their records.
        say: receives a line that says what is measured and why.
        speeds: of plans that will run into the store, and have to share a board with this one.

    Raises:
        HarnessError: as `plan`, `check_sources` and `machine_speed`.
    """
    check_devices(request, options, len(allowed_cores()))
    plan(request)  # whatever is wrong with it is said before anything is measured
    check_sources(request.workload, request.suite, options.data_dir)
    speed = machine_speed(request, options, chain(planned_speeds(store), speeds), say)
    return plan(replace(request, speed=speed))


def rehearse_plan(plan: Plan, store: Path, options: RunOptions) -> str:
    """Test a submission's first steps, unless a trial of the plan has a finished record.

    A submission that fails at once thus leaves no trial in the store.

    Returns:
        The hyperparameters that it did not read, in a sentence; empty if it read all.

    Raises:
        HarnessError: the first steps fail, or the store holds trials of another version.
    """
    if len(unfinished_trials(plan.trials, store)) == len(plan.trials):
        return rehearse(resolve_trial(plan.trials[0], options), options)
    return ""


def run_plan(
    plan: Plan, store: Path, options: RunOptions, place: Executor
) -> tuple[TrialRecord, ...]:
    """Write a plan to the store, and run its trials that have no finished record.

    Raises:
        HarnessError: the store cannot be written, or holds trials of another version.
    """
    write_plan(plan.trials, store)
    with place:
        return place.run(plan.trials, options)


def run(
    request: PlanRequest,
    out: Path,
    *,
    options: RunOptions | None = None,
    executor: str = DEFAULT_EXECUTOR,
    profile: Path | None = None,
    display: Display | None = None,
) -> tuple[TrialRecord, ...]:
    """Carry out a request and return its trials' records, as `harness run` does.

    Finished trials are skipped and interrupted ones resumed. The caller's main module must be
    importable without side effects (`if __name__ == "__main__":`), as for `multiprocessing`.

    Args:
        request: workload, submission, suite, framework, ruleset, seed, device and counts.
        out: the folder of the records.
        options: sandbox, folders and threads; by default those of `RunOptions`.
        executor: the name of the executor that runs the trials.
        profile: the TOML file with the resource requests for the executor's engine.
        display: shows the trials' progress; by default a line is printed as each trial ends.

    Raises:
        HarnessError: the request cannot be planned or run; the message says what to do.
    """
    options = options or RunOptions()
    shown_display = display or EndingsDisplay(print)
    place = executor_of(executor, out, shown_display, profile=profile)
    if isinstance(place, RemoteExecutor):
        speeds = tuple(set(planned_speeds(out)))
        with place:
            (plan,), options = prepare_there((request,), options, speeds, place, shown_display.note)
    else:
        plan = plan_here(request, options, out, shown_display.note)
        if unread := rehearse_plan(plan, out, options):
            shown_display.note(unread)
    return run_plan(plan, out, options, place)
