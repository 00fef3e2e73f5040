"""One attempt at a trial: a confined worker, the wire to it, and the referee that drives it."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from pathlib import Path

from harness.execution.base import RunOptions
from harness.execution.context import context_of
from harness.execution.resolved import ResolvedTrial
from harness.frameworks.load import evaluation_backend
from harness.machine.cores import pinned
from harness.machine.hardware import Environment, environment, hardware
from harness.plan.trial import Result
from harness.protocol.messages import TO_REFEREE
from harness.protocol.wire import Wire
from harness.record.ledger import Ledger
from harness.record.log import read_events
from harness.record.recorder import Observer, Recorder
from harness.record.schema import Begin
from harness.record.store import EVENTS_FILE
from harness.referee.referee import Referee
from harness.referee.resumption import expected_bytes, left_behind, note_beginning, resumable
from harness.sandboxes.base import Confinement
from harness.sandboxes.load import sandbox
from harness.sandboxes.log import neutral_name
from harness.sandboxes.scratch import scratch as new_scratch
from harness.sandboxes.scratch import submission_copy
from harness.sandboxes.view import empty_view


def run_attempt(
    resolved: ResolvedTrial, store: Path, options: RunOptions, observer: Observer
) -> Result:
    """Run a trial from its start, or from the checkpoint that a dead referee left.

    Args:
        resolved: the trial; its folder is held by this process.
        store: the folder of the records.
        options: sandbox, folders and threads of this machine.
        observer: hears every event.
    """
    trial, folder = resolved.trial, (store / resolved.trial.folder).absolute()
    recorder = Recorder(folder, observer)
    with (
        recorder.open(),
        new_scratch() as scratch,
        submission_copy(resolved.submission.contents) as copy,
        empty_view(resolved.data) as view,
        pinned(options.threads) if trial.device == "cpu" else nullcontext() as cores,
        neutral_name(folder / "worker.log", store.absolute()) as log,
    ):
        events = read_events(folder / EVENTS_FILE)
        ledger, begun_s = Ledger(store), time.monotonic()
        beginning = _beginning(resolved, ledger.attempts(trial.identity) + 1, options)
        left = left_behind(trial, folder, events, beginning)
        note_beginning(ledger, recorder, beginning, left)
        framework = evaluation_backend(trial.framework, trial.device, options.threads)
        framework.pin()
        context = context_of(resolved, copy, framework, options.threads, cores, begun_s=begun_s)
        checkpoints = resumable(trial, folder, options.checkpoint_s, context.shapes, left)
        confinement = Confinement(
            framework=trial.framework,
            threads=options.threads,
            memory_gib=trial.limits.memory_gib,
            scratch=scratch,
            log=log,
            view=view,
            submission=copy,
            hidden=(store.absolute(), resolved.data.parent),
            cores=cores.worker if cores else (),
        )
        worker = sandbox(options.sandbox).start(confinement)
        wire = Wire(worker.connection, TO_REFEREE, max_tensor_bytes=expected_bytes(context.shapes))
        return Referee(trial, context, worker, wire, recorder, checkpoints=checkpoints).run(left)


def _environment(resolved: ResolvedTrial) -> Environment:
    """What a trial runs on, with the versions of what its submission imports and that needs."""
    found = environment()
    packages = {**resolved.submission.versions, **found.packages}
    return found.model_copy(update={"packages": packages})


def _beginning(resolved: ResolvedTrial, attempt: int, options: RunOptions) -> Begin:
    machine = hardware(resolved.trial.device)
    return Begin(
        identity=resolved.trial.identity,
        attempt=attempt,
        submission_files=resolved.submission.files,
        hardware=machine,
        fingerprint=machine.fingerprint,
        environment=_environment(resolved),
        threads=options.threads,
        sandbox=options.sandbox,
        unenforced=tuple(sandbox(options.sandbox).unenforced()),
        load_average=os.getloadavg()[0],
    )
