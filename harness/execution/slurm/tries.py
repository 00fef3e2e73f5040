"""Counts how often trials were queued without progress."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from harness.plan.trial import Trial
from harness.record.store import EVENTS_FILE


class Tries:
    """Counts how often each trial was queued since it last wrote a checkpoint.

    Args:
        store: the folder of the trials' records.
        most: how often a trial may be queued.
    """

    def __init__(self, store: Path, most: int) -> None:
        self._store, self._most = store, most
        self._counts, self._checkpoints = Counter[str](), dict[str, int]()

    def are_over(self, trial: Trial) -> bool:
        """Whether it has been queued `most` times without progress."""
        log, identity = self._store / trial.folder / EVENTS_FILE, trial.identity
        checkpoints = log.read_bytes().count(b'"kind":"checkpoint"') if log.exists() else 0
        if checkpoints > self._checkpoints.get(identity, -1):
            self._checkpoints[identity], self._counts[identity] = checkpoints, 0
        return self._counts[identity] >= self._most

    def count(self, trial: Trial) -> None:
        """Count that it was queued."""
        self._counts[trial.identity] += 1
