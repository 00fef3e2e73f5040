"""A rehearsal: a submission's first steps on random batches, before any trial of it counts.

The worker is one like any other, in the sandbox that the trials will have, and does what every
trial's worker does first: set up, and warm up. It gets neither the instance's data nor its
parameters. What fails here would fail in every trial, so it is an error of the request and not
a result.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.execution.context import hello_of
from harness.execution.resolved import ResolvedTrial
from harness.protocol.messages import TO_REFEREE, Failed, Hello, ToRefereeMessage, WarmUp
from harness.protocol.slot import Slot
from harness.protocol.wire import Wire, WireError, WireTimeoutError
from harness.referee.checks import printable
from harness.referee.conversation import GRACE_S, SETUP_TIMEOUT_S
from harness.sandboxes.base import Confinement, WorkerProcess
from harness.sandboxes.load import sandbox
from harness.sandboxes.scratch import scratch as new_scratch
from harness.sandboxes.scratch import submission_copy
from harness.sandboxes.view import empty_view

EXIT_TIMEOUT_S = 2.0
SHOWN_LINES = 6
"""Of the worker's log, where it died without a word."""


def rehearse(resolved_trial: ResolvedTrial, options: RunOptions) -> None:
    """Let a submission make its first steps at a trial's point.

    A worker that is too slow is no error: what a trial may take is for its referee.

    Raises:
        HarnessError: the submission raised, or its worker died.
    """
    trial = resolved_trial.trial
    with (
        TemporaryDirectory() as folder,
        new_scratch() as scratch,
        submission_copy(resolved_trial.submission.contents) as copy,
        empty_view(resolved_trial.data) as view,
    ):
        log = Path(folder) / "worker.log"
        confinement = Confinement(
            framework=trial.framework,
            threads=options.threads,
            memory_gib=trial.limits.memory_gib,
            scratch=scratch,
            log=log,
            view=view,
            submission=copy,
            hidden=(resolved_trial.data.parent,),
        )
        worker = sandbox(options.sandbox).start(confinement)
        try:
            error = _error_of(
                hello_of(resolved_trial, copy, options.threads), resolved_trial, worker, log
            )
        finally:
            worker.kill()
    if error:
        raise HarnessError(
            f"{trial.submission.name} cannot train {trial.workload} ({trial.framework}) at "
            f"{_point_text(resolved_trial)}: {error}",
            "no trial was planned; mend the submission and run the same command again",
        )


def _error_of(hello: Hello, resolved_trial: ResolvedTrial, worker: WorkerProcess, log: Path) -> str:
    """What the submission's first steps ended with; empty if they were made, or too slow."""
    wire: Wire[ToRefereeMessage] = Wire(worker.connection, TO_REFEREE)
    try:
        wire.send(hello, timeout_s=SETUP_TIMEOUT_S)
        with closing(Slot(resolved_trial.shapes)) as slot:
            slot.send(worker.connection)
        answer, _ = wire.receive(SETUP_TIMEOUT_S)
        if not isinstance(answer, Failed):
            cap_s = resolved_trial.trial.limits.warmup_s
            wire.send(WarmUp(cap_s=cap_s), timeout_s=SETUP_TIMEOUT_S)
            answer, _ = wire.receive(cap_s + GRACE_S)
    except WireTimeoutError:
        return ""
    except WireError:
        why = worker.exit_reason(EXIT_TIMEOUT_S)
        lines = log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]
        return printable("\n  ".join([f"its worker ended: {why}", *lines]))
    if isinstance(answer, Failed):
        return f"{printable(answer.error)} ({printable(answer.frame)})"
    return ""


def _point_text(resolved_trial: ResolvedTrial) -> str:
    point = resolved_trial.trial.point
    return ", ".join(f"{name} {value}" for name, value in point.items()) or "its defaults"
