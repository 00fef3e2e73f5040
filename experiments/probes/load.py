"""Rerun trials of probes that ended because other programs kept the machine busy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.execution.base import Executor, RunOptions
from harness.plan.trial import State, Trial
from harness.record.plan import record_of
from harness.record.store import last_attempt
from harness.verification.rerun import open_again

BY_LOAD: tuple[State, ...] = ("hung", "invalid")
"""The states in which a trial may end because its worker, or the referee, got no processor time."""
ATTEMPTS = 3
"""The maximum number of attempts per trial; the state after the last one gives the verdict."""


def was_disturbed(trial: Trial, store: Path) -> bool:
    """Whether a trial may have ended because of other load, and may be tried again."""
    result = record_of(trial, store).result
    if result is None or result.state not in BY_LOAD or not result.flags:
        return False
    attempt = last_attempt(store / trial.folder)
    return attempt is not None and attempt.number < ATTEMPTS


def run_undisturbed(
    trials: Sequence[Trial], store: Path, options: RunOptions, place: Executor
) -> None:
    """Run trials, and rerun the disturbed ones, with at most `ATTEMPTS` attempts each.

    The record of a trial says how each attempt ended and why it was repeated.
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
