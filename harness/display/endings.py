"""One line per ended trial, for runs with concurrent trials."""

from __future__ import annotations

from collections.abc import Callable

from harness.display.progress import ending
from harness.plan.trial import Trial, TrialRecord
from harness.record.schema import ToldEvent


class EndingsDisplay:
    """Reports how each trial ended, and nothing before that.

    Args:
        say: prints a line.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def note(self, text: str) -> None:
        """Show nothing."""

    def begin(self, number: int, total: int, trial: Trial) -> None:
        """Show nothing."""

    def event(self, event: ToldEvent) -> None:
        """Show nothing."""

    def finish(self, record: TrialRecord) -> None:
        """Report how the trial ended."""
        trial, result = record.trial, record.result
        if result is not None:
            place = f"{trial.submission.name} {trial.study}.{trial.trial}"
            self._say(f"  {place}: {ending(trial, result)}")

    def close(self) -> None:
        """Show nothing."""


class RemoteDisplay(EndingsDisplay):
    """Also reports what the engine does with trials."""

    def note(self, text: str) -> None:
        """Print the remark on a line."""
        self._say(text)
