"""Probes run: planned as any run, one point after the other until one passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.probes.verdicts import Outcome, outcome_of
from harness.execution.base import Executor, RunOptions
from harness.plan.plan import Plan, PlanRequest, plan
from harness.plan.trial import Trial, TrialRecord
from harness.providers import registry
from harness.record.plan import record_of
from harness.runs.run import rehearse_plan, run_plan

SUITE = "probes"


def probe_names() -> tuple[str, ...]:
    """All probes, in the order of their suite."""
    return registry.suite(SUITE).workloads


def planned(submissions: Sequence[PlanRequest], probes: Sequence[str]) -> list[Plan]:
    """The plan of each submission on each probe.

    Args:
        submissions: a request for each; its workload and suite are filled in.
        probes: names of the suite's workloads.

    Raises:
        UnknownNameError: a probe or a submission is not known.
        HarnessError: a submission is not written for the framework.
    """
    return [
        plan(replace(request, suite=SUITE, workload=probe))
        for request in submissions
        for probe in probes
    ]


def rehearse_submissions(plans: Sequence[Plan], store: Path, options: RunOptions) -> None:
    """Let each submission make its first steps, unless it has finished trials.

    Raises:
        HarnessError: it cannot; every probe would say so.
    """
    by_submission: dict[str, list[Trial]] = {}
    for each in plans:
        by_submission.setdefault(each.trials[0].submission.name, []).extend(each.trials)
    for trials in by_submission.values():
        rehearse_plan(Plan(tuple(trials)), store, options)


def run_probes(
    plans: Sequence[Plan], store: Path, options: RunOptions, place: Callable[[], Executor]
) -> list[Outcome]:
    """Run each plan's trials until one reaches the target; return the outcomes.

    First every plan's first point is tried, then the second of those that did not pass, and so on.
    Trials with a finished record are not run again.

    Args:
        plans: as `planned` gives them.
        store: the folder of the records.
        options: sandbox, folders and threads.
        place: makes an executor for the store.

    Raises:
        HarnessError: the store cannot be written, or holds trials of another version.
    """
    for number in range(max(len(each.trials) for each in plans)):
        due = Plan(tuple(_due(plans, number, store)))
        if due.trials:
            run_plan(due, store, options, place())
    return [outcome_of(_records(each.trials, store)) for each in plans]


def _due(plans: Sequence[Plan], number: int, store: Path) -> Iterator[Trial]:
    """The trial of a number of each plan of which no earlier one reached the target."""
    for each in plans:
        if number < len(each.trials) and not _has_passed(each.trials[:number], store):
            yield each.trials[number]


def _has_passed(trials: Sequence[Trial], store: Path) -> bool:
    results = (record.result for record in _records(trials, store))
    return any(result is not None and result.state == "reached" for result in results)


def _records(trials: Sequence[Trial], store: Path) -> list[TrialRecord]:
    return [record_of(trial, store) for trial in trials]
