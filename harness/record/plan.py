"""The plan in a store: in ledger and folders before anything runs; what of it is still missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.core.errors import HarnessError
from harness.plan.trial import Trial, TrialRecord
from harness.record.ledger import Ledger
from harness.record.schema.ledger import PlanWithdrawn
from harness.record.store import (
    EVENTS_FILE,
    TRIAL_FILE,
    lock_trial,
    read_record,
    record_paths,
    refuse_other_versions,
    write_record,
)


def write_plan(trials: Iterable[Trial], store: Path) -> None:
    """Enter each trial in the ledger and write its `trial.json`, before anything runs.

    A file that exists is left alone: it is this trial's, whose identity is in the folder's name.

    Raises:
        HarnessError: the store cannot be written, or has trials of another version's form.
    """
    refuse_other_versions(store)
    enter_plan(trials, store)


def enter_plan(trials: Iterable[Trial], store: Path) -> None:
    """The same for a few trials of a store whose others are not looked at.

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
    """What the store holds of a trial; a record without a result if it has not finished."""
    path = store / trial.folder / TRIAL_FILE
    if not path.exists():
        return TrialRecord(identity=trial.identity, trial=trial)
    return read_record(path)


def unfinished_trials(trials: Iterable[Trial], store: Path) -> tuple[Trial, ...]:
    """The trials that still have to run, in their order."""
    return tuple(trial for trial in trials if record_of(trial, store).result is None)


def withdraw_plan(store: Path, reason: str) -> tuple[Trial, ...]:
    """Take back the trials that were planned and have not begun; the ledger keeps that and why.

    A trial that has begun is never taken back: who stops at what he sees would choose.

    Raises:
        HarnessError: there is no reason, another process runs one of them, or the store cannot be
            read or written.
    """
    if not reason.strip():
        raise HarnessError("a plan is withdrawn for a reason", "say it with --reason TEXT")
    ledger, trials = Ledger(store), list[Trial]()
    for path in record_paths(store):
        if (record := read_record(path)).result is not None or ledger.attempts(record.identity):
            continue
        with lock_trial(path.parent):
            if (path.parent / EVENTS_FILE).exists():  # it began meanwhile
                continue
            ledger.note(PlanWithdrawn(identity=record.identity, reason=reason.strip()))
            path.unlink()
        trials.append(record.trial)
    return tuple(trials)
