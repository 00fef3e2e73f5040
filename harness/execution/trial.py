"""Runs one trial, from its frozen value to its finished record; every executor calls this.

A trial has one attempt, or several if its referee was killed. Each attempt sets up a confined
worker, the wire to it and the referee that drives it.
"""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from platform import node

from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.execution.branching import trunk_end
from harness.execution.confinement import new_confinement
from harness.execution.resolved import ResolvedTrial, context_of, resolve_trial
from harness.frameworks.load import evaluation_backend
from harness.machine.cores import Cores, pin_cores
from harness.machine.gpus import claim
from harness.machine.hardware import hardware
from harness.plan.trial import Result, Trial, TrialRecord
from harness.protocol.messages import TO_REFEREE
from harness.protocol.slot import Slot
from harness.protocol.wire import Wire
from harness.record.attempts import attempts_of
from harness.record.ledger import Ledger
from harness.record.log import read_events
from harness.record.recorder import Observer, Recorder
from harness.record.schema import Begin
from harness.record.schema.ledger import AttemptEnded
from harness.record.store import EVENTS_FILE, lock_trial, result_of, write_record
from harness.referee.checkpoint import Checkpoint, remove_checkpoint
from harness.referee.referee import Referee
from harness.referee.resumption import expected_bytes, find_checkpoint, note_beginning, resumable
from harness.sandboxes.load import sandbox
from harness.sandboxes.log import neutral_name


def run_trial(trial: Trial, store: Path, options: RunOptions, observer: Observer) -> Result:
    """Run a trial unless its record is finished; return its result.

    An attempt whose referee died is resumed from its last checkpoint. Without a checkpoint it stays
    in the log, and a new attempt follows it.
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
            result = _run_attempt(resolved_trial, store, options, observer)
        _note_end(ledger, trial, folder, result)
        if not trial.keeps_end:
            remove_checkpoint(folder)
        write_record(folder, TrialRecord(identity=trial.identity, trial=trial, result=result))
    return result


def _check_hardware(trial: Trial, options: RunOptions) -> None:
    """Refuse a machine for which the trials were not planned: budgets are scaled by its speed."""
    if options.fingerprint in (None, here := hardware(trial.device).fingerprint):
        return
    raise HarnessError(
        f"{node()} has other hardware ({here}) than the machine that {trial.folder} was planned "
        f"for ({options.fingerprint})",
        "ask for machines of one kind, by the profile's 'partition', 'constraint' or 'gpu_type'",
    )


def _check_not_ended(ledger: Ledger, trial: Trial) -> None:
    """Refuse to rerun a trial that has ended but whose events are missing."""
    if (end := ledger.end_of(trial.identity)) is not None:
        raise HarnessError(
            f"{trial.folder} has ended ('{end.state}', attempt {end.attempt}) according to the "
            "ledger, but not according to its events",
            "restore its folder, or mark it as lost and run it again: "
            f"harness rerun OUT --trial {Path(trial.folder).name} --reason TEXT",
        )


def _run_attempt(
    resolved_trial: ResolvedTrial, store: Path, options: RunOptions, observer: Observer
) -> Result:
    """Run a trial from its start, or from the checkpoint left by a referee that died.

    Args:
        resolved_trial: the trial; this process holds the lock on its folder.
        store: the folder of the records.
        options: sandbox, folders and threads of this machine.
        observer: is notified of every event.
    """
    trial, folder = resolved_trial.trial, (store / resolved_trial.trial.folder).absolute()
    trunk = trunk_end(trial, store)  # first: without it nothing begins
    recorder = Recorder(folder, observer)
    with (
        recorder.open(),
        _machine_of(trial, options) as cores,
        neutral_name(folder / "worker.log", store.absolute()) as log,
        new_confinement(
            resolved_trial,
            options,
            log,
            hidden_paths=(store.absolute(),),
            cores=cores.worker if cores else (),
        ) as (confinement, copy),
    ):
        events = read_events(folder / EVENTS_FILE)
        ledger = Ledger(store)
        number = ledger.attempts(trial.identity) + 1
        beginning = _beginning(resolved_trial, number, options, trunk)
        checkpoint = find_checkpoint(trial, folder, events, beginning)
        start_s = time.monotonic()  # with the record: its clock accounts for all of it
        note_beginning(ledger, recorder, beginning, checkpoint)
        framework = evaluation_backend(trial.framework, trial.device, options.threads)
        framework.pin()
        context = context_of(
            resolved_trial, copy, framework, options.threads, cores, start_s=start_s, trunk=trunk
        )
        checkpoints = resumable(trial, folder, options.checkpoint_s, context.shapes, checkpoint)
        with closing(Slot(context.shapes)) as slot:  # first, for it may fail
            worker = sandbox(options.sandbox).start(confinement)
            most_bytes = expected_bytes(context.shapes)
            wire = Wire(worker.connection, TO_REFEREE, max_tensor_bytes=most_bytes)
            referee = Referee(
                trial, context, worker, wire, recorder, checkpoints=checkpoints, slot=slot
            )
            return referee.run(checkpoint)


def _machine_of(trial: Trial, options: RunOptions) -> AbstractContextManager[Cores | None]:
    """Claim what a trial has for itself: cores on the CPU, or its GPU if it is timed."""
    if trial.device == "cpu":
        return pin_cores(options.threads * trial.devices)
    return claim(trial.device) if trial.budget.steps is None else nullcontext()


def _beginning(
    resolved_trial: ResolvedTrial, attempt: int, options: RunOptions, trunk: Checkpoint | None
) -> Begin:
    machine = hardware(resolved_trial.trial.device)
    confined_by = sandbox(options.sandbox)
    begin = Begin(
        identity=resolved_trial.trial.identity,
        attempt=attempt,
        submission_files=resolved_trial.submission.files,
        hardware=machine,
        fingerprint=machine.fingerprint,
        environment=resolved_trial.environment,
        threads=options.threads,
        sandbox=options.sandbox,
        unenforced=tuple(confined_by.list_unenforced_protections()),
        load_average=os.getloadavg()[0],
    )
    if (image := confined_by.image) is not None:
        begin = begin.model_copy(update={"image": image})
    if trunk is not None:
        begin = begin.model_copy(update={"trunk_checkpoint": trunk.sha256})
    return begin


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
