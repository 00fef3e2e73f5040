"""Resumes a trial whose referee died, from its log and its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.plan.trial import Trial
from harness.record.attempts import attempts_of
from harness.record.ledger import Ledger
from harness.record.log import Event
from harness.record.recorder import Recorder
from harness.record.schema import Begin, End, Rerun, Resumed
from harness.record.schema.ledger import AttemptBegun, AttemptResumed
from harness.referee.checkpoint import (
    Checkpoint,
    Checkpoints,
    Shapes,
    model_bytes,
    read_checkpoint,
    state_limit,
)

CONSTANT_FIELDS = (
    "submission_files", "fingerprint", "environment", "threads", "sandbox", "trunk_checkpoint",
)  # fmt: skip
"""The fields of the first event that must be unchanged; otherwise the trial restarts."""


def find_checkpoint(
    trial: Trial,
    folder: Path,
    events: Sequence[Event],
    beginning: Begin,
) -> Checkpoint | None:
    """The checkpoint from which the last attempt can be resumed; None if it cannot.

    Args:
        trial: the planned trial, with which the record must agree.
        folder: the folder of its record.
        events: the events of its log, oldest first.
        beginning: the first event of an attempt that would begin now.
    """
    attempts = attempts_of(events)
    if not attempts or isinstance(attempts[-1].last.data, End | Rerun):
        return None
    before = attempts[-1].begin
    if not isinstance(before, Begin):
        return None
    if any(getattr(before, name) != getattr(beginning, name) for name in CONSTANT_FIELDS):
        return None
    return read_checkpoint(folder, trial, events)


def note_beginning(
    ledger: Ledger, recorder: Recorder, beginning: Begin, checkpoint: Checkpoint | None
) -> None:
    """Record in ledger and log that an attempt begins, or is resumed from a checkpoint."""
    identity = beginning.identity
    if checkpoint is None:
        ledger.note(AttemptBegun(identity=identity, attempt=beginning.attempt))
        recorder.emit(beginning)
        return
    event = Resumed(
        after_seq=checkpoint.after_seq,
        attempt=checkpoint.attempt,
        step=checkpoint.position.last.step,
        timed_s=checkpoint.position.timed_s,
    )
    ledger.note(
        AttemptResumed(
            identity=identity,
            attempt=event.attempt,
            step=event.step,
            timed_s=event.timed_s,
        )
    )
    recorder.emit(event)


def resumable(
    trial: Trial, folder: Path, every_s: float, shapes: Shapes, checkpoint: Checkpoint | None
) -> Checkpoints:
    """The writer of a trial's checkpoints, continuing after the given one.

    Args:
        trial: the trial whose state is saved.
        folder: where the checkpoints are written.
        every_s: the least timed seconds between two checkpoints.
        shapes: of the model's parameters and buffers.
        checkpoint: the checkpoint that the trial is resumed from, if any.
    """
    since_s = checkpoint.position.timed_s if checkpoint else 0.0
    return Checkpoints(folder, trial, every_s, state_limit(model_bytes(shapes)), since_s)


def expected_bytes(shapes: Shapes) -> int:
    """The largest message of a worker: a snapshot with a state."""
    size = model_bytes(shapes)
    return 2 * size + 2**20 + state_limit(size)
