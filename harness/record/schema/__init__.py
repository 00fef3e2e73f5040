"""The schema of records: one frozen model per kind of event.

    measured by the referee    begin, resumed, ready, go, evaluation, other_splits, diagnostics,
                               checkpoint, no_checkpoint, no_profile, referee_failed, end, rerun
    claimed by the worker      warm, snapshot, failed, profile
    told, never recorded       progress
    entries of the ledger      planned, plan_withdrawn, begun, resumed, ended, rerun; see
                               `schema.ledger`

A line of a log has an event's fields under `data`, and its `kind` beside that; see
`harness.record.log`. Unknown keys are refused.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter

from harness.record.schema.attempts import (
    Begin,
    End,
    ImportedBegin,
    NoReadings,
    RefereeFailed,
    Rerun,
    Resumed,
)
from harness.record.schema.base import Author, EventData
from harness.record.schema.training import (
    CheckpointWritten,
    Claims,
    Diagnostics,
    Evaluation,
    Go,
    Metrics,
    NoCheckpoint,
    NoProfile,
    OtherSplits,
    Part,
    Ready,
    SnapshotTaken,
    StepProfile,
    TrainingProgress,
    Warm,
    WorkerFailed,
)

__all__ = [
    "TRIAL_EVENTS",
    "AnyBegin",
    "Author",
    "Begin",
    "CheckpointWritten",
    "Claims",
    "Diagnostics",
    "End",
    "Evaluation",
    "EventData",
    "Go",
    "ImportedBegin",
    "Metrics",
    "NoCheckpoint",
    "NoProfile",
    "NoReadings",
    "OtherSplits",
    "Part",
    "Ready",
    "RefereeFailed",
    "Rerun",
    "Resumed",
    "SnapshotTaken",
    "StepProfile",
    "ToldEvent",
    "TrainingProgress",
    "TrialEvent",
    "Warm",
    "WorkerFailed",
]

AnyBegin = Begin | ImportedBegin
TrialEvent = (
    Annotated[AnyBegin, Field(discriminator="origin")]
    | Resumed
    | Ready
    | Warm
    | Go
    | SnapshotTaken
    | Evaluation
    | OtherSplits
    | Diagnostics
    | CheckpointWritten
    | NoCheckpoint
    | WorkerFailed
    | StepProfile
    | NoProfile
    | RefereeFailed
    | End
    | Rerun
)
ToldEvent = TrialEvent | TrainingProgress
"""The events of which an observer is notified."""

TRIAL_EVENTS: TypeAdapter[TrialEvent] = TypeAdapter(
    Annotated[TrialEvent, Field(discriminator="kind")]
)
