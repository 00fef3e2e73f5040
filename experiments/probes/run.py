"""Run probes: planned like any run, submission by submission, point by point until one passes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, groupby
from pathlib import Path

from experiments.probes.load import run_undisturbed, was_disturbed
from experiments.probes.verdicts import Outcome, outcome_of
from harness.core.errors import HarnessError
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
    """The plan of each submission on each probe; what is given twice is planned once.

    Args:
        submissions: a request for each; its workload and suite are filled in.
        probes: names of the suite's workloads.

    Raises:
        UnknownNameError: a probe or a submission is not known.
        HarnessError: a submission is not written for the framework, or two have one name.
    """
    by_name = dict[str, list[Plan]]()
    for request in submissions:
        plans = [
            plan(replace(request, suite=SUITE, workload=probe)) for probe in dict.fromkeys(probes)
        ]
        own = plans[0].trials[0].submission
        known = by_name.setdefault(own.name, plans)[0].trials[0].submission
        if known.entry_hash != own.entry_hash:
            raise HarnessError(
                f"two submissions are called '{own.name}': {known.location} and {own.location}; "
                "verdicts are listed by name",
                "copy one of them to a folder of another name, or probe it into another --out",
            )
    return [each for plans in by_name.values() for each in plans]


def run_probes(
    plans: Sequence[Plan],
    store: Path,
    options: RunOptions,
    place: Executor,
    until_s: float = math.inf,
    *,
    at_once: int = 1,
) -> list[Outcome]:
    """Run each plan's trials until one reaches the target; returns the outcomes that are decided.

    For each submission the first point of every probe is tried, then the second point of those that
    it has not passed, and so on. Trials with a finished record are not repeated. A submission makes
    its first steps before its first trial, because otherwise every probe would report the same
    error.

    A probe counts steps; seconds only bound a worker that hangs. On a busy machine a trial may
    reach that bound all the same; it is then rerun, see `experiments.probes.load`.

    Args:
        plans: the result of `plan_probes`.
        store: the folder of the records.
        options: sandbox, folders and threads.
        place: runs the trials.
        until_s: when to stop starting trials, by `time.monotonic`.
        at_once: how many trials are started between two looks at the time, if it is limited.

    Returns:
        The outcomes of each submission whose probes are all decided; others are missing if time ran
            out.

    Raises:
        HarnessError: a submission cannot make its first steps, or the store cannot be written or
            holds trials of another version.
    """
    refuse_other_versions(store)
    submissions = [list(each) for _, each in groupby(plans, _submission)]
    at_once = len(plans) if math.isinf(until_s) else at_once
    with place:
        for own in submissions:
            for number in range(max(len(each.trials) for each in own)):
                upcoming = tuple(_next_trials(own, number, store))
                if upcoming and time.monotonic() < until_s:
                    trials = chain.from_iterable(each.trials for each in own)
                    rehearse_plan(Plan(tuple(trials)), store, options)
                for first in range(0, len(upcoming), at_once):
                    if time.monotonic() < until_s:
                        part = upcoming[first : first + at_once]
                        enter_plan(part, store)
                        run_undisturbed(part, store, options, place)
    return [
        outcome_of(_records(each.trials, store))
        for own in submissions
        if all(_is_decided(each.trials, store) for each in own)
        for each in own
    ]


def _submission(of: Plan) -> str:
    return of.trials[0].submission.entry_hash


def _next_trials(plans: Iterable[Plan], number: int, store: Path) -> Iterator[Trial]:
    """The trial with a given number of each plan in which no earlier trial reached the target."""
    for each in plans:
        if number < len(each.trials) and not _has_passed(each.trials[:number], store):
            trial = each.trials[number]
            if record_of(trial, store).result is None or was_disturbed(trial, store):
                yield trial


def _is_decided(trials: Sequence[Trial], store: Path) -> bool:
    """Whether a trial has passed, or all have ended for other reasons than load."""
    has_ended = all(record.result is not None for record in _records(trials, store))
    was_any_disturbed = any(was_disturbed(trial, store) for trial in trials)
    return (has_ended and not was_any_disturbed) or _has_passed(trials, store)


def _has_passed(trials: Sequence[Trial], store: Path) -> bool:
    results = (record.result for record in _records(trials, store))
    return any(result is not None and result.state == "reached" for result in results)


def _records(trials: Sequence[Trial], store: Path) -> list[TrialRecord]:
    return [record_of(trial, store) for trial in trials]
