"""One trial, from its frozen value to its finished record: what every executor calls."""

from __future__ import annotations

from pathlib import Path
from platform import node

from harness.core.errors import HarnessError
from harness.execution.attempt import run_attempt
from harness.execution.base import RunOptions
from harness.execution.resolved import resolve_trial
from harness.machine.hardware import hardware
from harness.plan.trial import Result, Trial, TrialRecord
from harness.record.attempts import attempts_of
from harness.record.ledger import Ledger
from harness.record.log import read_events
from harness.record.recorder import Observer
from harness.record.schema.ledger import AttemptEnded
from harness.record.store import EVENTS_FILE, lock_trial, result_of, write_record
from harness.referee.checkpoint import remove_checkpoint


def run_trial(trial: Trial, store: Path, options: RunOptions, observer: Observer) -> Result:
    """Run a trial unless its record is finished; either way return its result.

    An attempt that was cut short (the referee died) goes on from its last checkpoint; if there is
    none, it stays in the log, and a new one follows it.
    """
    folder = (store / trial.folder).absolute()
    ledger = Ledger(store)
    with lock_trial(folder):
        ledger.plan((trial,))
        if (result := result_of(folder)) is None:
            _check_not_ended(ledger, trial)
            _check_hardware(trial, options)
            resolved_trial = resolve_trial(trial, options)
            write_record(folder, TrialRecord(identity=trial.identity, trial=trial))
            result = run_attempt(resolved_trial, store, options, observer)
        _note_end(ledger, trial, folder, result)
        if not trial.keeps_end:
            remove_checkpoint(folder)
        write_record(folder, TrialRecord(identity=trial.identity, trial=trial, result=result))
    return result


def _note_end(ledger: Ledger, trial: Trial, folder: Path, result: Result) -> None:
    events = read_events(folder / EVENTS_FILE)
    ledger.note_once(
        AttemptEnded(
            identity=trial.identity,
            attempt=attempts_of(events)[-1].number,
            state=result.state,
            events=events[-1].hash,
        )
    )


def _check_hardware(trial: Trial, options: RunOptions) -> None:
    """A budget is scaled by the speed of one kind of machine."""
    if options.fingerprint in (None, here := hardware(trial.device).fingerprint):
        return
    raise HarnessError(
        f"{node()} has other hardware ({here}) than the machine that {trial.folder} was planned "
        f"for ({options.fingerprint})",
        "ask for machines of one kind, by the profile's 'partition', 'constraint' or 'gpu_type'",
    )


def _check_not_ended(ledger: Ledger, trial: Trial) -> None:
    """An ended trial whose events are gone is not run again silently."""
    if (end := ledger.end_of(trial.identity)) is not None:
        raise HarnessError(
            f"{trial.folder} has ended ('{end.state}', attempt {end.attempt}), says the "
            "ledger, but its events do not",
            "bring its folder back; or mark it as lost, and run it again: "
            f"harness rerun OUT --trial {Path(trial.folder).name} --reason TEXT",
        )
