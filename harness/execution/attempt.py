"""One attempt at a trial: a confined worker, the wire to it, and the referee that drives it."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

from harness.execution.base import RunOptions
from harness.execution.branching import trunk_end
from harness.execution.context import context_of
from harness.execution.devices import processes_of
from harness.execution.resolved import ResolvedTrial
from harness.frameworks.load import evaluation_backend
from harness.machine.cores import Cores, pin_cores
from harness.machine.gpus import claimed
from harness.machine.hardware import hardware
from harness.plan.trial import Result, Trial
from harness.protocol.messages import TO_REFEREE
from harness.protocol.slot import Slot
from harness.protocol.wire import Wire
from harness.record.ledger import Ledger
from harness.record.log import read_events
from harness.record.recorder import Observer, Recorder
from harness.record.schema import Begin
from harness.record.store import EVENTS_FILE
from harness.referee.referee import Referee
from harness.referee.resumption import expected_bytes, find_checkpoint, note_beginning, resumable
from harness.sandboxes.base import Confinement
from harness.sandboxes.load import sandbox
from harness.sandboxes.log import neutral_name
from harness.sandboxes.scratch import scratch as new_scratch
from harness.sandboxes.scratch import submission_copy
from harness.sandboxes.view import empty_view


def run_attempt(
    resolved_trial: ResolvedTrial, store: Path, options: RunOptions, observer: Observer
) -> Result:
    """Run a trial from its start, or from the checkpoint that a dead referee left.

    Args:
        resolved_trial: the trial; its folder is held by this process.
        store: the folder of the records.
        options: sandbox, folders and threads of this machine.
        observer: hears every event.
    """
    trial, folder = resolved_trial.trial, (store / resolved_trial.trial.folder).absolute()
    trunk = trunk_end(trial, store)  # first: without it nothing begins
    recorder = Recorder(folder, observer)
    with (
        recorder.open(),
        new_scratch() as scratch,
        submission_copy(resolved_trial.submission.contents) as copy,
        empty_view(resolved_trial.data) as view,
        _machine_of(trial, options) as cores,
        neutral_name(folder / "worker.log", store.absolute()) as log,
    ):
        events = read_events(folder / EVENTS_FILE)
        ledger = Ledger(store)
        beginning = _beginning(resolved_trial, ledger.attempts(trial.identity) + 1, options)
        if trunk is not None:
            beginning = beginning.model_copy(update={"trunk_checkpoint": trunk.sha256})
        checkpoint = find_checkpoint(trial, folder, events, beginning)
        start_s = time.monotonic()  # with the record: its clock accounts for all of it
        note_beginning(ledger, recorder, beginning, checkpoint)
        framework = evaluation_backend(trial.framework, trial.device, options.threads)
        framework.pin()
        context = context_of(
            resolved_trial, copy, framework, options.threads, cores, start_s=start_s, trunk=trunk
        )
        checkpoints = resumable(trial, folder, options.checkpoint_s, context.shapes, checkpoint)
        processes = processes_of(trial)
        confinement = Confinement(
            framework=trial.framework,
            threads=options.threads,
            memory_gib=processes.memory_gib,
            scratch=scratch,
            log=log,
            view=view,
            submission=copy,
            hidden=(store.absolute(), resolved_trial.data.parent),
            ranks=processes.ranks,
            cores=cores.worker if cores else (),
            computes_on_gpu=trial.device != "cpu",
            packages=resolved_trial.environment.packages,
        )
        with closing(Slot(context.shapes)) as slot:  # first, for it may fail
            worker = sandbox(options.sandbox).start(confinement)
            size = expected_bytes(context.shapes)
            wire = Wire(worker.connection, TO_REFEREE, max_tensor_bytes=size)
            referee = Referee(
                trial, context, worker, wire, recorder, checkpoints=checkpoints, slot=slot
            )
            return referee.run(checkpoint)


def _machine_of(trial: Trial, options: RunOptions) -> AbstractContextManager[Cores | None]:
    """What a trial has of the machine for itself: cores, or, on the clock, its GPU."""
    if trial.device == "cpu":
        return pin_cores(options.threads * trial.devices)
    return claimed(trial.device) if trial.budget.steps is None else nullcontext()


def _beginning(resolved_trial: ResolvedTrial, attempt: int, options: RunOptions) -> Begin:
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
        unenforced=tuple(confined_by.unenforced()),
        load_average=os.getloadavg()[0],
    )
    image = confined_by.image
    return begin if image is None else begin.model_copy(update={"image": image})
