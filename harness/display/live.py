"""A live line, in a terminal."""

from __future__ import annotations

from rich.live import Live
from rich.text import Text

from harness.core.console import PlainConsole
from harness.core.text import displayable
from harness.display.progress import Progress
from harness.plan.trial import Trial, TrialRecord
from harness.record.schema import ToldEvent


class LiveDisplay:
    """A live line for the running trial, and a permanent one for each finished trial."""

    def __init__(self, console: PlainConsole) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._live = self._new_line()

    def note(self, text: str) -> None:
        """Show the remark on the live line."""
        self._live.start()
        self._live.update(_style(text, "cyan"), refresh=True)

    def begin(self, number: int, total: int, trial: Trial) -> None:
        """Start the live line of a trial."""
        self._progress = Progress(number, total, trial)
        self._live.start()
        self._show()

    def event(self, event: ToldEvent) -> None:
        """Update the live line."""
        if self._progress is not None:
            self._progress.hear(event)
            self._show()

    def finish(self, record: TrialRecord) -> None:
        """Print a permanent line on how the trial ended."""
        if record.result is None or self._progress is None:
            return
        colour = "green" if record.result.state == "reached" else "yellow"
        self._console.print(_style(self._progress.last_line(record.result), colour))

    def close(self) -> None:
        """Remove the live line; a further trial gets another, below what is printed until then."""
        self._live.stop()
        self._live = self._new_line()

    def _new_line(self) -> Live:
        # No refresh thread: it would take time from the worker. Events come twice a second or more.
        return Live(console=self._console, auto_refresh=False, transient=True)

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
