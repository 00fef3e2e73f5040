"""Events of an attempt's training: warm-up, snapshots, evaluations, checkpoints, its profile."""

from __future__ import annotations

from typing import Literal

from harness.core.recorded import Number, Recorded, Seconds
from harness.machine.readings import MachineReading
from harness.record.schema.base import EventData

Metrics = dict[str, Number | None]
"""By name; one that is not finite is None."""


class Ready(EventData):
    """The submission is imported and the model built."""

    kind: Literal["ready"] = "ready"


class Warm(EventData):
    """Warm-up is over."""

    kind: Literal["warm"] = "warm"
    compile_s: Seconds
    steps: int


class Go(EventData):
    """The worker may train from now on."""

    kind: Literal["go"] = "go"
    budget_s: Seconds
    machine: MachineReading
    """The reading before it."""


class Claims(Recorded):
    """What a worker says of its training up to a snapshot."""

    examples: int
    train_loss: Number | None
    learning_rate: Number | None
    forwards: int
    backwards: int
    snapshots_s: Seconds
    """Spent on snapshots so far, on the clock."""


class SnapshotTaken(EventData):
    """The worker handed over a snapshot: at a look, for which it was stopped, or in passing.

    Those in passing are written down when the worker is frozen next, before the look.
    """

    kind: Literal["snapshot"] = "snapshot"
    grid: int
    """The last grid point passed."""
    step: int
    timed_s: Seconds
    fraction: Number
    """The fraction of the budget spent."""
    is_look: bool
    claims: Claims


class Part(Recorded):
    """The part of the validation split that was evaluated: enough to see what comes out."""

    examples: int
    """How many of them, in the order of the instance."""
    of: int
    """How many the split has."""
    standard_errors: Metrics
    """Of the metrics as estimates of the whole split's."""
    beside: int | None = None
    """The grid point of the snapshot, evaluated whole before, that they are estimated by the
    difference from; None of plain means."""


class Evaluation(EventData):
    """The referee evaluated a snapshot on the validation split; or an evaluation as published.

    A snapshot of which a part was evaluated is evaluated again, on the rest of the split, if it may
    be the hit or the miss right before it.
    """

    kind: Literal["evaluation"] = "evaluation"
    grid: int | None = None
    """None if published."""
    step: int
    timed_s: Seconds
    examples: int | None
    """None if published."""
    validation: Metrics
    """Means over the split, or over the part of it that was evaluated."""
    part: Part | None = None
    """Missing where the whole split was evaluated."""

    @property
    def splits(self) -> dict[str, Metrics]:
        """The metrics of each split."""
        return {"validation": self.validation}


class OtherSplits(EventData):
    """The referee evaluated a snapshot that the result keeps, the hit or the last one, on the
    splits that a search leaves out.
    """

    kind: Literal["other_splits"] = "other_splits"
    grid: int
    step: int
    timed_s: Seconds
    examples: int
    test: Metrics | None = None
    probe: Metrics | None = None
    """Loss and gradient norm on a fixed training batch."""

    @property
    def splits(self) -> dict[str, Metrics]:
        """The metrics of each split that there is."""
        by_name = {"test": self.test, "probe": self.probe}
        return {name: metrics for name, metrics in by_name.items() if metrics is not None}


class Diagnostics(EventData):
    """What the workload's `diagnostics.py` says of an evaluated snapshot."""

    kind: Literal["diagnostics"] = "diagnostics"
    grid: int
    step: int
    timed_s: Seconds
    examples: int
    values: Metrics

    @property
    def splits(self) -> dict[str, Metrics]:
        """The values under the name that they have among the metrics of splits."""
        return {"diagnostics": self.values}


class CheckpointWritten(EventData):
    """A checkpoint is about to take its place."""

    kind: Literal["checkpoint"] = "checkpoint"
    grid: int
    step: int
    timed_s: Seconds
    bytes: int
    sha256: str


class NoCheckpoint(EventData):
    """The worker could not hand its state over."""

    kind: Literal["no_checkpoint"] = "no_checkpoint"
    grid: int
    why: str


class WorkerFailed(EventData):
    """The submission raised an error, or a rank of its worker was killed."""

    kind: Literal["failed"] = "failed"
    cause: Literal["exception", "out_of_memory", "killed"]
    error: str
    frame: str


class StepProfile(EventData):
    """What some steps after the end spent in all."""

    kind: Literal["profile"] = "profile"
    steps: int
    steps_s: Seconds
    data_s: Seconds
    """On drawing data."""
    passes_s: Seconds | None
    """On forward and backward passes; None where they cannot be told from the update."""


class NoProfile(EventData):
    """The worker gave no profile of its steps."""

    kind: Literal["no_profile"] = "no_profile"
    why: str


class TrainingProgress(EventData):
    """How far the worker is; told and not recorded."""

    kind: Literal["progress"] = "progress"
    timed_s: Seconds
    fraction: Number
