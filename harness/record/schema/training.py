"""Events of training: warm-up, snapshots, evaluations, checkpoints and the profile."""

from __future__ import annotations

from typing import Literal

from harness.core.recorded import Number, Recorded, Seconds, Whole
from harness.machine.readings import MachineReading
from harness.record.schema.base import EventData

Metrics = dict[str, Number | None]
"""Metrics by name; None for values that are not finite."""


class Ready(EventData):
    """The submission is imported and the model built."""

    kind: Literal["ready"] = "ready"


class Warm(EventData):
    """Warm-up is over."""

    kind: Literal["warm"] = "warm"
    compile_s: Seconds
    steps: Whole


class Go(EventData):
    """The worker may train from now on."""

    kind: Literal["go"] = "go"
    budget_s: Seconds
    machine: MachineReading
    """The reading of the machine before GO."""


class Claims(Recorded):
    """The worker's report on its training up to a snapshot."""

    examples: Whole
    train_loss: Number | None
    learning_rate: Number | None
    forwards: Whole
    backwards: Whole
    snapshots_s: Seconds
    """Timed seconds spent on snapshots so far."""


class SnapshotTaken(EventData):
    """The worker submitted a snapshot, at a look (stopped) or at a glance.

    Glances are recorded when the worker is frozen next, before the look.
    """

    kind: Literal["snapshot"] = "snapshot"
    grid: Whole
    """The last grid point passed."""
    step: Whole
    timed_s: Seconds
    fraction: Number
    """The fraction of the budget spent."""
    is_look: bool
    claims: Claims


class Part(Recorded):
    """The evaluated part of the validation split, which is enough to decide the outcome."""

    examples: Whole
    """How many examples were evaluated, in the instance's order."""
    of: Whole
    """How many examples the split has."""
    standard_errors: Metrics
    """Standard errors of the metrics, as estimates of the whole split's."""
    beside: Whole | None = None
    """The grid point of an earlier snapshot, evaluated on the whole split, whose difference from
    this one is the estimate; None for plain means."""


class Evaluation(EventData):
    """The referee evaluated a snapshot on the validation split; or an evaluation as published.

    A partly evaluated snapshot is evaluated again, on the rest of the split, if it may be the hit
    or the miss right before it.
    """

    kind: Literal["evaluation"] = "evaluation"
    grid: Whole | None = None
    """None if published."""
    step: Whole
    timed_s: Seconds
    examples: Whole | None
    """None if published."""
    validation: Metrics
    """Means over the split or its evaluated part."""
    part: Part | None = None
    """Missing if the whole split was evaluated."""

    @property
    def splits(self) -> dict[str, Metrics]:
        """The metrics of each split."""
        return {"validation": self.validation}


class OtherSplits(EventData):
    """The referee evaluated the hit or the last snapshot on the other splits."""

    kind: Literal["other_splits"] = "other_splits"
    grid: Whole
    step: Whole
    timed_s: Seconds
    examples: Whole
    test: Metrics | None = None
    probe: Metrics | None = None
    """Loss and gradient norm on a fixed training batch."""

    @property
    def splits(self) -> dict[str, Metrics]:
        """The metrics of each split that there is."""
        by_name = {"test": self.test, "probe": self.probe}
        return {name: metrics for name, metrics in by_name.items() if metrics is not None}


class Diagnostics(EventData):
    """The diagnostics of an evaluated snapshot."""

    kind: Literal["diagnostics"] = "diagnostics"
    grid: Whole
    step: Whole
    timed_s: Seconds
    examples: Whole
    values: Metrics

    @property
    def splits(self) -> dict[str, Metrics]:
        """The values, in the form of a split's metrics."""
        return {"diagnostics": self.values}


class CheckpointWritten(EventData):
    """A checkpoint has been written and will now replace the previous one."""

    kind: Literal["checkpoint"] = "checkpoint"
    grid: Whole
    step: Whole
    timed_s: Seconds
    bytes: Whole
    sha256: str


class NoCheckpoint(EventData):
    """The worker could not send its state."""

    kind: Literal["no_checkpoint"] = "no_checkpoint"
    grid: Whole
    why: str


class WorkerFailed(EventData):
    """The submission raised an error, or a rank of its worker was killed."""

    kind: Literal["failed"] = "failed"
    cause: Literal["exception", "out_of_memory", "killed"]
    error: str
    frame: str


class StepProfile(EventData):
    """The worker's profile of some steps after the end: total seconds."""

    kind: Literal["profile"] = "profile"
    steps: Whole
    steps_s: Seconds
    data_s: Seconds
    """Seconds for drawing data."""
    passes_s: Seconds | None
    """Seconds for passes; None if they cannot be separated from the update."""


class NoProfile(EventData):
    """The worker sent no profile of its steps."""

    kind: Literal["no_profile"] = "no_profile"
    why: str


class TrainingProgress(EventData):
    """The worker's progress, which is displayed and not recorded."""

    kind: Literal["progress"] = "progress"
    timed_s: Seconds
    fraction: Number
