"""Plain lines: for a log, a pipe, a file."""

from __future__ import annotations

from harness.core.console import PlainConsole
from harness.display.progress import Progress
from harness.plan.trial import Trial, TrialRecord
from harness.record.schema import Evaluation, ToldEvent

EVALUATION_LINES = 5
"""The number of evaluations shown per trial, evenly spread over its budget."""


class PlainDisplay:
    """Lines for a log: the start and end of each trial, and a few evaluations in between."""

    def __init__(self, console: PlainConsole) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._line_count = 0

    def note(self, text: str) -> None:
        """Print the remark on a line."""
        self._line(text)

    def begin(self, number: int, total: int, trial: Trial) -> None:
        """Report which trial starts."""
        self._progress = Progress(number, total, trial)
        self._line_count = 0
        self._line(f"{self._progress.head}: study {trial.study} trial {trial.trial}, started")

    def event(self, event: ToldEvent) -> None:
        """Report the trial's progress, at most `EVALUATION_LINES` times."""
        progress = self._progress
        if progress is None:
            return
        progress.hear(event)
        if not isinstance(event, Evaluation):
            return
        line_count = int(progress.fraction * EVALUATION_LINES)
        if line_count > self._line_count:
            self._line_count = line_count
            self._line(f"  step {progress.step}, {progress.metric_text}, {progress.remaining}")

    def finish(self, record: TrialRecord) -> None:
        """Report how the trial ended."""
        if record.result is not None and self._progress is not None:
            self._line(self._progress.last_line(record.result))

    def close(self) -> None:
        """Do nothing: there is no line to remove."""

    def _line(self, text: str) -> None:
        self._console.print(text, soft_wrap=True)
