"""Writes a plan into a store's ledger and folders, and finds what is still missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.core.errors import HarnessError
from harness.plan.trial import Trial, TrialRecord
from harness.record.ledger import Ledger
from harness.record.schema.ledger import PlanWithdrawn
from harness.record.store import (
    TRIAL_FILE,
    lock_trial,
    read_log,
    read_record,
    record_paths,
    refuse_other_versions,
    write_record,
)


def write_plan(trials: Iterable[Trial], store: Path) -> None:
    """Add each trial to the ledger and write its `trial.json`, before anything runs.

    An existing file is kept: it is this trial's, as the folder's name has its identity.

    Raises:
        HarnessError: the store cannot be written, or has trials in the format of another version.
    """
    refuse_other_versions(store)
    enter_plan(trials, store)


def enter_plan(trials: Iterable[Trial], store: Path) -> None:
    """The same for a few trials, without checking the store's other trials.

    Raises:
        HarnessError: the store cannot be written.
    """
    trials = tuple(trials)
    Ledger(store).plan(trials)
    for trial in trials:
        folder = store / trial.folder
        if not (folder / TRIAL_FILE).exists():
            write_record(folder, TrialRecord(identity=trial.identity, trial=trial))


def record_of(trial: Trial, store: Path) -> TrialRecord:
    """A trial's record in the store; it has no result if the trial has not finished."""
    path = store / trial.folder / TRIAL_FILE
    if not path.exists():
        return TrialRecord(identity=trial.identity, trial=trial)
    return read_record(path)


def unfinished_trials(trials: Iterable[Trial], store: Path) -> tuple[Trial, ...]:
    """The trials that still have to run, in their order."""
    return tuple(trial for trial in trials if record_of(trial, store).result is None)


def withdraw_plan(store: Path, reason: str) -> tuple[Trial, ...]:
    """Withdraw planned trials that have not begun; the ledger records the reason.

    A trial that has begun cannot be withdrawn, as that would allow choosing by intermediate
    results.

    Raises:
        HarnessError: there is no reason, another process runs one of them, or the store cannot be
            read or written.
    """
    if not reason.strip():
        raise HarnessError("withdrawing a plan needs a reason", "give it with --reason TEXT")
    ledger, trials = Ledger(store), list[Trial]()
    for path in record_paths(store):
        if (record := read_record(path)).result is not None or ledger.attempts(record.identity):
            continue
        with lock_trial(path.parent):
            # it may have begun meanwhile; a log without events is of an attempt that did not
            if ledger.attempts(record.identity) or read_log(path.parent).events:
                continue
            ledger.note(PlanWithdrawn(identity=record.identity, reason=reason.strip()))
            path.unlink()
        trials.append(record.trial)
    return tuple(trials)
