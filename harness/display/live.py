"""A line that moves, in a terminal."""

from __future__ import annotations

from rich.live import Live
from rich.text import Text

from harness.core.console import PlainConsole
from harness.core.text import displayable
from harness.display.progress import Progress
from harness.plan.trial import Trial, TrialRecord
from harness.record.schema import ToldEvent


class LiveDisplay:
    """One line that moves for the running trial, one that stays for each finished one."""

    def __init__(self, console: PlainConsole) -> None:
        self._console = console
        self._progress: Progress | None = None
        # No refresh thread: it would take time from the worker. Events come twice a second or more.
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def note(self, text: str) -> None:
        """Show it on the moving line."""
        self._live.start()
        self._live.update(_style(text, "cyan"), refresh=True)

    def begin(self, number: int, total: int, trial: Trial) -> None:
        """Start the line of a trial."""
        self._progress = Progress(number, total, trial)
        self._live.start()
        self._show()

    def event(self, event: ToldEvent) -> None:
        """Move the line."""
        if self._progress is not None:
            self._progress.hear(event)
            self._show()

    def finish(self, record: TrialRecord) -> None:
        """Leave one line that stays."""
        if record.result is None or self._progress is None:
            return
        colour = "green" if record.result.state == "reached" else "yellow"
        self._console.print(_style(self._progress.last_line(record.result), colour))

    def close(self) -> None:
        """Take the moving line away."""
        self._live.stop()

    def _show(self) -> None:
        progress = self._progress
        if progress is None:
            return
        blocks = round(progress.fraction * 10)
        text = (
            f"{progress.head} {'█' * blocks}{'░' * (10 - blocks)} {progress.phase}, "
            f"step {progress.step}\n  {progress.metric_text}, {progress.remaining}"
        )
        self._live.update(_style(text, "cyan"), refresh=True)


def _style(text: str, colour: str) -> Text:
    return Text(displayable(text, lines=True), style=colour)
