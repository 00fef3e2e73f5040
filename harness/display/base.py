"""Progress displays: a live line in a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import Protocol

from harness.plan.trial import Trial, TrialRecord
from harness.record.schema import ToldEvent


class Display(Protocol):
    """A display: is told of each trial and of the events within it."""

    def note(self, text: str) -> None:
        """Show a remark, for example on preparations before the trials."""
        ...

    def begin(self, number: int, total: int, trial: Trial) -> None:
        """Trial `number` of `total` starts."""
        ...

    def event(self, event: ToldEvent) -> None:
        """Something happened in the trial: an event of its record, or its progress."""
        ...

    def finish(self, record: TrialRecord) -> None:
        """The trial ended and has a result."""
        ...

    def close(self) -> None:
        """End the display; nothing is shown after this."""
        ...
