"""The scalars of a trial that sinks and trackers plot over steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from harness.plan.trial import Result
from harness.record.schema import (
    Diagnostics,
    End,
    Evaluation,
    OtherSplits,
    SnapshotTaken,
    TrialEvent,
)

SUCCESS_STATES = ("reached", "budget")
"""The states of a trial that trackers show as success."""


class Scalars(NamedTuple):
    """Values at a step."""

    step: int
    timed_s: float
    values: Mapping[str, float | None]


def scalars_of(event: TrialEvent) -> Scalars | None:
    """The scalars of an event; None if it has none."""
    if isinstance(event, SnapshotTaken):
        values = {
            "claimed/train_loss": event.claims.train_loss,
            "claimed/learning_rate": event.claims.learning_rate,
            "budget/fraction": event.fraction,
            "budget/timed_s": event.timed_s,
        }
        return Scalars(event.step, event.timed_s, values)
    if isinstance(event, Evaluation | OtherSplits | Diagnostics):
        values = {f"{g}/{k}": v for g, split in event.splits.items() for k, v in split.items()}
        return Scalars(event.step, event.timed_s, values)
    if isinstance(event, End):
        return Scalars(event.result.steps, event.result.timed_s, metrics_of(event.result))
    return None


def metrics_of(result: Result) -> dict[str, float | None]:
    """The scalars of an ended trial."""
    return {
        "result/time_to_target_s": result.time_to_target_s,
        "result/best_metric": result.best_metric,
        "result/timed_s": result.timed_s,
        "result/steps": float(result.steps),
    }
