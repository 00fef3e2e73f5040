"""Check that a branch began where its trunk ended."""

from __future__ import annotations

from pathlib import Path

from harness.plan.trial import Trial
from harness.record.schema import Begin, CheckpointWritten
from harness.record.store import TrialLog, read_log
from harness.verification.replay import MismatchError


def check_trunk(trial: Trial, log: TrialLog, store: Path) -> None:
    """Check the checkpoint that each attempt of a branch claims to have started from.

    It must be one that the trunk's log, in the same store, recorded at the trunk's last grid point.
    A trial that is not a branch must not name any.

    Raises:
        MismatchError: names the first mismatch.
    """
    begins = [attempt.begin for attempt in log.attempts if isinstance(attempt.begin, Begin)]
    if trial.branch is None:
        if any(begin.trunk_checkpoint is not None for begin in begins):
            raise MismatchError("it began from a trunk's checkpoint, but is not a branch")
        return
    trunk = trial.branch.trunk
    ends = {
        event.sha256
        for attempt in read_log(store / trunk.folder).attempts
        for event in attempt.all(CheckpointWritten)
        if event.grid == trunk.grid.points
    }
    for begin in begins:
        if begin.trunk_checkpoint not in ends:
            raise MismatchError(
                f"attempt {begin.attempt} began with a checkpoint that the log of its trunk, "
                f"{trunk.folder}, does not name"
            )
