"""Converts the record of an ended trial to the form that trackers are sent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from harness.core.errors import HarnessError
from harness.plan.trial import Trial
from harness.record.attempts import Attempt
from harness.record.log import Event
from harness.record.schema import End
from harness.record.sinks.scalars import SUCCESS_STATES, Scalars, metrics_of, scalars_of
from harness.record.store import TRIAL_FILE, last_attempt, read_record
from harness.record.trackers.base import TrackedRun


def tracked_run(folder: Path) -> TrackedRun:
    """The run of a trial's folder: its last attempt.

    Raises:
        HarnessError: the trial has not ended, or its record cannot be read.
    """
    record, attempt = read_record(folder / TRIAL_FILE), last_attempt(folder)
    if attempt is None or attempt.end is None:
        raise HarnessError(f"the trial in {folder} has not ended")
    trial, result = record.trial, attempt.end.result
    entry = f"{trial.submission.name} ({trial.framework}) on {trial.workload}"
    return TrackedRun(
        key=f"{record.identity[:16]}-{attempt.number}",
        name=f"{entry}, {trial.study}.{trial.trial}",
        group=entry,
        point=trial.point,
        facts=_facts(trial, attempt) | {"state": result.state, "reason": result.reason},
        curves=_curves(attempt.events),
        summary={name: v for name, v in metrics_of(result).items() if v is not None},
        steps=result.steps,
        is_success=result.state in SUCCESS_STATES,
        begun_at=datetime.fromisoformat(attempt.events[0].at),
        ended_at=datetime.fromisoformat(attempt.last.at),
    )


def _facts(trial: Trial, attempt: Attempt) -> dict[str, str]:
    return {
        "submission": trial.submission.name,
        "content_hash": trial.submission.entry_hash,
        "framework": trial.framework,
        "workload": trial.workload,
        "variant": trial.variant,
        "suite": trial.suite,
        "ruleset": trial.ruleset,
        "study": str(trial.study),
        "trial": str(trial.trial),
        "attempt": str(attempt.number),
        "identity": trial.identity,
        "target": f"{trial.target.metric} {trial.target.value:g}",
        "budget_s": f"{trial.budget.runtime_s:g}",
        "hardware": attempt.begin.fingerprint,
    }


def _curves(events: Iterable[Event]) -> tuple[Scalars, ...]:
    """All values of a step together, as a snapshot is evaluated later than it is taken."""
    by_step: dict[int, Scalars] = {}
    for event in events:
        scalars = None if isinstance(event.data, End) else scalars_of(event.data)
        if scalars is not None:
            first = by_step.get(scalars.step, scalars)
            by_step[scalars.step] = first._replace(values={**first.values, **scalars.values})
    return tuple(by_step[step] for step in sorted(by_step))
