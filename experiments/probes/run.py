"""Probes run: planned as any run, one submission after the other, one point until one passes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path

from experiments.probes.load import run_undisturbed, was_disturbed
from experiments.probes.verdicts import Outcome, outcome_of
from harness.execution.base import Executor, RunOptions
from harness.plan.plan import Plan, PlanRequest, plan
from harness.plan.trial import Trial, TrialRecord
from harness.providers import registry
from harness.record.plan import enter_plan, record_of
from harness.record.store import refuse_other_versions
from harness.runs.run import rehearse_plan

SUITE = "probes"


def probe_names() -> tuple[str, ...]:
    """All probes, in the order of their suite."""
    return registry.suite(SUITE).workloads


def plan_probes(submissions: Sequence[PlanRequest], probes: Sequence[str]) -> list[Plan]:
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


def run_probes(
    plans: Sequence[Plan],
    store: Path,
    options: RunOptions,
    place: Executor,
    until_s: float = math.inf,
) -> list[Outcome]:
    """Run each plan's trials until one reaches the target; the outcomes of what is whole.

    Of a submission every probe's first point is tried, then the second of those that did not pass,
    and so on. Trials with a finished record are not run again. Before the first of them a
    submission makes its first steps, as every probe would say that it cannot.

    A probe counts steps, and seconds only bound a worker that hangs. On a machine that others keep
    busy a trial may meet that bound all the same; it is run again, see `experiments.probes.load`.

    Args:
        plans: as `plan_probes` gives them.
        store: the folder of the records.
        options: sandbox, folders and threads.
        place: runs the trials.
        until_s: by `time.monotonic`, when nothing more is begun.

    Returns:
        Of each submission all of whose probes are decided; there are others if time ran out.

    Raises:
        HarnessError: a submission cannot make its first steps, or the store cannot be written or
            holds trials of another version.
    """
    refuse_other_versions(store)
    submissions = [list(each) for _, each in groupby(plans, _submission)]
    with place:
        for own in submissions:
            for number in range(max(len(each.trials) for each in own)):
                upcoming = tuple(_next_trials(own, number, store))
                if upcoming and time.monotonic() < until_s:
                    trials = chain.from_iterable(each.trials for each in own)
                    rehearse_plan(Plan(tuple(trials)), store, options)
                    enter_plan(upcoming, store)
                    run_undisturbed(upcoming, store, options, place)
    return [
        outcome_of(_records(each.trials, store))
        for own in submissions
        if all(_is_decided(each.trials, store) for each in own)
        for each in own
    ]


def _submission(of: Plan) -> str:
    return of.trials[0].submission.entry_hash


def _next_trials(plans: Iterable[Plan], number: int, store: Path) -> Iterator[Trial]:
    """The trial of a number of each plan of which no earlier one reached the target."""
    for each in plans:
        if number < len(each.trials) and not _has_passed(each.trials[:number], store):
            trial = each.trials[number]
            if record_of(trial, store).result is None or was_disturbed(trial, store):
                yield trial


def _is_decided(trials: Sequence[Trial], store: Path) -> bool:
    """Whether a trial has passed, or all of them have ended, and not by load."""
    has_ended = all(record.result is not None for record in _records(trials, store))
    was_any_disturbed = any(was_disturbed(trial, store) for trial in trials)
    return (has_ended and not was_any_disturbed) or _has_passed(trials, store)


def _has_passed(trials: Sequence[Trial], store: Path) -> bool:
    results = (record.result for record in _records(trials, store))
    return any(result is not None and result.state == "reached" for result in results)


def _records(trials: Sequence[Trial], store: Path) -> list[TrialRecord]:
    return [record_of(trial, store) for trial in trials]
