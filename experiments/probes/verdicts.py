"""The verdict of a probe: the best outcome over the few points that were tried.

| verdict | at the best point |
|---|---|
| `pass` | the target was reached |
| `fail` | the budget was spent without reaching it |
| `diverged` | parameters or loss were no longer finite |
| `crashed` | the submission raised an error, ran out of memory, hung or broke a rule |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import pandas as pd

from harness.plan.trial import State, TrialRecord
from workloads.spec import Frozen

Verdict = Literal["pass", "fail", "diverged", "crashed"]
VERDICTS: tuple[Verdict, ...] = ("pass", "fail", "diverged", "crashed")
"""From the best to the worst."""
OF_STATE: Mapping[State, Verdict] = {
    "reached": "pass",
    "budget": "fail",
    "diverged": "diverged",
    "crashed": "crashed",
    "out_of_memory": "crashed",
    "hung": "crashed",
    "invalid": "crashed",
}


class Outcome(Frozen):
    """The outcome of one submission on one probe."""

    submission: str
    probe: str
    verdict: Verdict
    points: int
    """The number of points that were tried; a pass ends the search."""
    steps: int | None
    """Steps to the target, as counted by the worker; None without a pass."""
    best: float | None
    """The best value of the target's metric at any point; None if none was finite."""
    reason: str
    """How the deciding trial ended."""


def outcome_of(records: Iterable[TrialRecord]) -> Outcome:
    """The outcome of a submission's trials on one probe, at least one of which has ended."""
    results = [(each.trial, each.result) for each in records if each.result is not None]
    trial, result = min(results, key=lambda pair: VERDICTS.index(OF_STATE[pair[1].state]))
    values = [r.best_metric for _, r in results if r.best_metric is not None]
    best = max if trial.target.direction == "maximize" else min
    return Outcome(
        submission=trial.submission.name,
        probe=trial.workload,
        verdict=OF_STATE[result.state],
        points=len(results),
        steps=result.steps_to_target,
        best=best(values, default=None),
        reason=result.reason,
    )


def outcomes_frame(outcomes: Iterable[Outcome]) -> pd.DataFrame:
    """One row per outcome, one column per field."""
    rows = [outcome.model_dump() for outcome in outcomes]
    return pd.DataFrame(rows, columns=list(Outcome.model_fields))
