"""A trial's progress, from its events, and a line on how it ended."""

from __future__ import annotations

from harness.plan.trial import Result, Trial
from harness.record.schema import (
    CheckpointWritten,
    Evaluation,
    Resumed,
    SnapshotTaken,
    ToldEvent,
    TrainingProgress,
)


class Progress:
    """The progress of the running trial."""

    def __init__(self, number: int, total: int, trial: Trial) -> None:
        self.number = number
        self.total = total
        self.trial = trial
        self.phase = "starting"
        self.step = 0
        self.timed_s = 0.0
        self.fraction = 0.0
        self.metric: float | None = None

    def hear(self, event: ToldEvent) -> None:
        """Update the progress with an event."""
        is_glance = isinstance(event, SnapshotTaken) and not event.is_look
        if not is_glance:  # nothing stops for one
            self.phase = _PHASES.get(event.kind, self.phase)
        if isinstance(event, SnapshotTaken | Evaluation | CheckpointWritten | Resumed):
            self.step, self.timed_s = event.step, event.timed_s
        elif isinstance(event, TrainingProgress):
            self.timed_s = event.timed_s
        if isinstance(event, SnapshotTaken | TrainingProgress):
            self.fraction = min(1.0, event.fraction)
        elif not self.trial.budget.steps:
            self.fraction = min(1.0, self.timed_s / self.trial.budget.runtime_s)
        if isinstance(event, Evaluation):
            value = event.validation.get(self.trial.target.metric)
            self.metric = self.metric if value is None else value

    @property
    def remaining(self) -> str:
        """The remaining budget as text."""
        budget = self.trial.budget
        if budget.steps:
            return f"{round(budget.steps * (1.0 - self.fraction))} steps left"
        return f"{budget.runtime_s * (1.0 - self.fraction):.1f} s left"

    @property
    def head(self) -> str:
        """The trial's number and the total as text."""
        return f"trial {self.number} of {self.total}"

    @property
    def metric_text(self) -> str:
        """The target's metric next to the target, as text."""
        target = self.trial.target
        now = "-" if self.metric is None else f"{self.metric:.4g}"
        return f"{target.metric} {now} (target {target.short})"

    def last_line(self, result: Result) -> str:
        """How the trial ended, and whether other programs disturbed it."""
        line = f"{self.head}: {ending(self.trial, result)}"
        if not result.contention:
            return line
        return f"{line}; {result.contention}, so it trained more slowly"


_PHASES = {
    "begin": "preparing",
    "ready": "warming up",
    "warm": "loading",
    "go": "training",
    "progress": "training",
    "snapshot": "evaluating",
    "evaluation": "training",
}


def ending(trial: Trial, result: Result) -> str:
    """A line on how a trial ended."""
    best = "-" if result.best_metric is None else f"{result.best_metric:.4g}"
    if result.state == "reached" and result.time_to_target_s is not None:
        return (
            f"reached {trial.target.metric} {trial.target.value:.4g} after "
            f"{result.time_to_target_s:.2f} s, {result.steps_to_target} steps"
        )
    tail = f"best {trial.target.metric} {best} in {result.timed_s:.2f} s, {result.steps} steps"
    return f"{result.state}: {tail}"
