"""Trials of probes that other load has ended, and not what was tried: they are run again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.execution.base import Executor, RunOptions
from harness.plan.trial import State, Trial
from harness.record.plan import record_of
from harness.record.store import last_attempt
from harness.verification.rerun import open_again

BY_LOAD: tuple[State, ...] = ("hung", "invalid")
"""How a trial may end because its worker, or the referee, was kept from the processor."""
ATTEMPTS = 3
"""Of a trial in all; what ends so on a quiet machine as well has that verdict after them."""


def was_disturbed(trial: Trial, store: Path) -> bool:
    """Whether a trial has ended as load ends one, under load, and may be tried again."""
    result = record_of(trial, store).result
    if result is None or result.state not in BY_LOAD or not result.flags:
        return False
    attempt = last_attempt(store / trial.folder)
    return attempt is not None and attempt.number < ATTEMPTS


def run_undisturbed(
    trials: Sequence[Trial], store: Path, options: RunOptions, place: Executor
) -> None:
    """Run trials, and again those that were disturbed, each at most `ATTEMPTS` times.

    The record of a trial says of each attempt how it ended and why it was run again.
    """
    pending = tuple(trials)
    while pending:
        for trial in pending:
            if was_disturbed(trial, store):
                record = record_of(trial, store)
                reasons = record.result.flags if record.result else ()
                open_again(store, record, "; ".join(reasons))
        place.run(pending, options)
        pending = tuple(trial for trial in pending if was_disturbed(trial, store))
