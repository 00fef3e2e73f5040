"""Finds the checkpoint that a branch starts from, left by its trunk in the same store."""

from __future__ import annotations

from pathlib import Path

from harness.core.errors import HarnessError
from harness.plan.trial import Result, Trial
from harness.record.schema import NoCheckpoint
from harness.record.store import TRIAL_FILE, TrialLog, read_log
from harness.referee.checkpoint import CHECKPOINT_FILE, Checkpoint, read_checkpoint


def trunk_end(trial: Trial, store: Path) -> Checkpoint | None:
    """The checkpoint that a branch starts from; None for a trial that is not a branch.

    Raises:
        HarnessError: its trunk has not run in this store, or left no checkpoint.
    """
    return None if trial.branch is None else end_of(trial.branch.trunk, store)


def end_of(trial: Trial, store: Path) -> Checkpoint:
    """The final checkpoint of a trial with `keeps_end`.

    Raises:
        HarnessError: it has not ended in this store, or left no checkpoint; the message says why.
    """
    folder = (store / trial.folder).absolute()
    log = read_log(folder)
    if log.end is None:
        raise HarnessError(
            f"{trial.folder} has not ended in {store}, and the trials to run branch off its end",
            f"run it first: harness trial {folder / TRIAL_FILE} --store {store}",
        )
    checkpoint = read_checkpoint(folder, trial, log.events)
    if checkpoint is None or checkpoint.position.last.grid < trial.grid.points:
        raise HarnessError(
            f"{trial.folder} left no checkpoint at its end: {_why_none(log, log.end.result)}",
            "a trial leaves one if it trained to the end of its budget and its submission's state "
            "can be saved; change the submission, or run the trial again: "
            f"harness rerun {store} --trial {folder.name} --reason TEXT",
        )
    return checkpoint


def _why_none(log: TrialLog, result: Result) -> str:
    refusals = log.last.all(NoCheckpoint) if log.last else []
    if refusals:
        return refusals[-1].why
    if result.state != "budget":
        return f"it ended '{result.state}'"
    return f"{CHECKPOINT_FILE} is not there, or not what its log names"
