"""Send ended trials to experiment trackers between trials, so that none is slowed or stopped."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from harness.core.files import write_whole
from harness.display.base import Display
from harness.plan.trial import Trial, TrialRecord
from harness.record.attempts import final_end
from harness.record.schema import ToldEvent
from harness.record.store import last_attempt
from harness.sandboxes import start

TIMEOUT_S = 60.0
SHOWN_LENGTH = 400
"""The maximum length of a reported tracker error, in characters."""


class Outbox:
    """Sends each ended trial once: a file `NAME.sent` in its folder identifies the attempt sent.

    After a failure this process does not use the tracker again; the next run sends the rest.

    Args:
        store: the folder of the records.
        trackers: names from `--sink`, such as `wandb`.
        say: receives a message that says why a trial was not sent.
        timeout_s: time limit for sending one trial, in seconds.
    """

    def __init__(
        self,
        store: Path,
        trackers: Sequence[str],
        say: Callable[[str], None],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._store, self._trackers, self._say = store, list(trackers), say
        self._timeout_s = timeout_s

    def send(self, trials: Iterable[Trial]) -> None:
        """Send the given trials that have ended and were not sent yet."""
        if not self._trackers:
            return
        for folder in [(self._store / trial.folder).absolute() for trial in trials]:
            attempt = last_attempt(folder)
            if attempt is None or final_end(attempt.events) is None:
                continue
            for tracker in tuple(self._trackers):
                mark = folder / f"{tracker}.sent"
                if not (mark.exists() and mark.read_text(encoding="utf-8") == attempt.last.hash):
                    self._send(tracker, folder, mark, attempt.last.hash)

    def _send(self, tracker: str, folder: Path, mark: Path, last: str) -> None:
        if why := _error_of(tracker, folder, self._timeout_s):
            self._trackers.remove(tracker)
            self._say(
                f"note: {tracker} did not take {folder.name}: {why}\n"
                "  it is not asked again now; the same command sends what is missing"
            )
        else:
            write_whole(mark, last)


def _error_of(tracker: str, folder: Path, timeout_s: float) -> str:
    """Why a trial was not sent; empty if it was."""
    with TemporaryFile() as errors:  # not a pipe: what a tracker leaves behind would hold it open
        process = subprocess.Popen(
            start.command("harness.record.trackers.send", tracker, str(folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=start.environment(dict(os.environ)),
            start_new_session=True,
        )
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return f"it took more than {timeout_s:g} s"
        finally:
            _end(process)
        errors.seek(0)
        lines = errors.read().decode(errors="replace").strip().splitlines()
    return "" if code == 0 else (lines or [f"exit code {code}"])[-1][:SHOWN_LENGTH]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all processes of its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class TrackedDisplay:
    """Wraps a display, and sends each ended trial before the next one begins or at the close.

    Args:
        display: the display that every call is forwarded to.
        outbox: sends the trials.
    """

    def __init__(self, display: Display, outbox: Outbox) -> None:
        self._display, self._outbox = display, outbox
        self._ended_trials: list[Trial] = []

    def note(self, text: str) -> None:
        """Forward the call."""
        self._display.note(text)

    def begin(self, number: int, total: int, trial: Trial) -> None:
        """Send ended trials, and forward the call."""
        self._flush()
        self._display.begin(number, total, trial)

    def event(self, event: ToldEvent) -> None:
        """Forward the call."""
        self._display.event(event)

    def finish(self, record: TrialRecord) -> None:
        """Forward the call; nothing is sent, since others may still be training."""
        self._ended_trials.append(record.trial)
        self._display.finish(record)

    def close(self) -> None:
        """Send ended trials, and forward the call."""
        self._flush()
        self._display.close()

    def _flush(self) -> None:
        trials, self._ended_trials = self._ended_trials, []
        self._outbox.send(trials)
