"""One line for each trial that has ended, for runs in which several train at once."""

from __future__ import annotations

from collections.abc import Callable

from harness.display.progress import ending
from harness.plan.trial import Trial, TrialRecord
from harness.record.schema import ToldEvent


class EndingsDisplay:
    """Says how each trial ended, and nothing of what comes before.

    Args:
        say: shows a line.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def note(self, text: str) -> None:
        """Let it pass."""

    def begin(self, number: int, total: int, trial: Trial) -> None:
        """Let it pass."""

    def event(self, event: ToldEvent) -> None:
        """Let it pass."""

    def finish(self, record: TrialRecord) -> None:
        """Say how it ended."""
        trial, result = record.trial, record.result
        if result is not None:
            place = f"{trial.submission.name} {trial.study}.{trial.trial}"
            self._say(f"  {place}: {ending(trial, result)}")

    def close(self) -> None:
        """Let it pass."""


class RemoteDisplay(EndingsDisplay):
    """Says what the engine does with trials, too."""

    def note(self, text: str) -> None:
        """Say it on a line."""
        self._say(text)
