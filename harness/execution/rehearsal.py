"""A rehearsal: a submission's first steps on random batches, before any trial of it counts.

The worker runs in the sandbox that the trials will have and does what every trial's worker does
first: set up and warm up. It gets neither the instance's data nor its parameters. A failure here
would occur in every trial, so it is an error of the request instead of a result.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.execution.confinement import new_confinement
from harness.execution.resolved import ResolvedTrial, hello_of
from harness.protocol.messages import (
    TO_REFEREE,
    Failed,
    Hello,
    ToRefereeMessage,
    ToWorkerMessage,
    Warm,
    WarmUp,
)
from harness.protocol.slot import Slot
from harness.protocol.wire import Wire, WireError, WireTimeoutError
from harness.referee.checks import printable
from harness.referee.conversation import GRACE_S, SETUP_TIMEOUT_S
from harness.sandboxes.base import WorkerProcess
from harness.sandboxes.load import sandbox
from harness.submission.entry import is_import_path

EXIT_TIMEOUT_S = 2.0
MOST_NAMES = 5
FOR_MATRICES = "2D parameters"
"""In the errors of optimizer classes that accept matrices only."""
FLAG, FLAG_ERRORS = "use_muon", ("use_muon", "__contains__ only supports Tensor")
"""A key of parameter groups that marks matrices, and texts in the errors of classes that need it.
"""
UNKNOWN_NAME = "unknown name in module"
"""How the error begins if a module has nothing of an import path's name."""
SHOWN_LINES = 6
"""How many lines of the worker's log are shown if it died without an error report."""


class Rehearsal:
    """The conversation with a worker in a rehearsal.

    Args:
        worker: a worker that has just been started.
        log: the file of its output.
    """

    def __init__(self, worker: WorkerProcess, log: Path) -> None:
        self.worker, self._log = worker, log
        self._wire: Wire[ToRefereeMessage] = Wire(worker.connection, TO_REFEREE, max_tensor_bytes=0)

    def begin(self, hello: Hello, slot: Slot) -> ToRefereeMessage:
        """Send HELLO and the slot; returns the answer."""
        self._wire.send(hello, timeout_s=SETUP_TIMEOUT_S)
        slot.send(self.worker.connection)
        return self._wire.receive(SETUP_TIMEOUT_S)[0]

    def ask(self, message: ToWorkerMessage, timeout_s: float) -> ToRefereeMessage:
        """Send another message; returns the answer."""
        self._wire.send(message, timeout_s=SETUP_TIMEOUT_S)
        return self._wire.receive(timeout_s)[0]

    def exit_report(self) -> str:
        """Why the worker is gone, and the end of its log."""
        why = self.worker.exit_reason(EXIT_TIMEOUT_S)
        lines = self._log.read_text(errors="replace").splitlines()[-SHOWN_LINES:]
        return printable("\n  ".join([f"its worker ended: {why}", *lines]))


@contextmanager
def rehearsal(
    resolved_trial: ResolvedTrial, options: RunOptions
) -> Iterator[tuple[Rehearsal, Path]]:
    """Start a worker in the trials' sandbox; yields it and the copy of the submission."""
    with TemporaryDirectory() as folder:
        log = Path(folder) / "worker.log"
        with new_confinement(resolved_trial, options, log) as (confinement, copy):
            worker = sandbox(options.sandbox).start(confinement)
            try:
                yield Rehearsal(worker, log), copy
            finally:
                worker.kill()


def rehearse(resolved_trial: ResolvedTrial, options: RunOptions) -> str:
    """Let a submission make its first steps at a trial's point.

    A worker that is too slow is not an error here; time limits are the referee's task.

    Returns: a sentence on hyperparameters that the submission has not read; empty if it read all.

    Raises:
        HarnessError: the submission raised, or its worker died.
    """
    trial = resolved_trial.trial
    with (
        rehearsal(resolved_trial, options) as (process, copy),
        closing(Slot(resolved_trial.shapes)) as slot,
    ):
        hello = hello_of(resolved_trial, copy, options.threads)
        error, unread = _first_steps(process, hello, slot, trial.limits.warmup_s)
    if error:
        raise HarnessError(
            f"{trial.submission.name} cannot train {trial.workload} ({trial.framework}) at "
            f"{_point_text(resolved_trial)}: {error}",
            f"no trial was planned; {_advice(error, trial.submission.location)}",
        )
    if not unread:
        return ""
    more = f" and {len(unread) - MOST_NAMES} more" if len(unread) > MOST_NAMES else ""
    return (
        f"{trial.submission.name} has not looked up {', '.join(unread[:MOST_NAMES])}{more}: "
        "what a point says of it has no effect"
    )


def _advice(error: str, location: str) -> str:
    """The hint for an error of the submission."""
    if not is_import_path(location):
        return "fix the submission and run the same command again"
    if error.startswith(UNKNOWN_NAME):
        return "correct the name after the colon"
    name = f"my_{location.partition(':')[2].rpartition('.')[2].lower()}"
    if any(words in error for words in FLAG_ERRORS):
        return (
            f"if it looks for '{FLAG}' in its groups, this writes a submission that sets it:\n"
            f"  harness new {name} --of {location} --flag {FLAG}"
        )
    if FOR_MATRICES in error:
        return (
            "if the class is only for matrices, this writes a submission that gives it the "
            f"hidden ones and AdamW the rest:\n  harness new {name} --of {location}"
        )
    return f"a build of a few lines can pass a class what else it needs:\n  harness new {name}"


def _first_steps(
    process: Rehearsal, hello: Hello, slot: Slot, cap_s: float
) -> tuple[str, tuple[str, ...]]:
    """The error of the first steps (empty if they succeeded or were too slow), and unread names."""
    try:
        answer = process.begin(hello, slot)
        if not isinstance(answer, Failed):
            answer = process.ask(WarmUp(cap_s=cap_s), cap_s + GRACE_S)
    except WireTimeoutError:
        return "", ()
    except WireError:
        return process.exit_report(), ()
    if isinstance(answer, Failed):
        return error_text(answer), ()
    return "", tuple(map(printable, answer.unread)) if isinstance(answer, Warm) else ()


def error_text(report: Failed) -> str:
    """The text of a worker's error, with the place where it was raised."""
    return printable(report.text)


def _point_text(resolved_trial: ResolvedTrial) -> str:
    point = resolved_trial.trial.point
    return ", ".join(f"{name} {value}" for name, value in point.items()) or "its defaults"
