"""What a sink is: another form in which a trial's events are written as its record grows."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from harness.record.schema import TrialEvent


class Sink(Protocol):
    """Takes the events of one attempt. Nothing is computed from what it writes."""

    def show(self, event: TrialEvent) -> None:
        """Write one event, or pass it over.

        Raises:
            CannotWriteError: the machine does not take it.
        """
        ...

    def close(self) -> None:
        """Write what is still held back, and end."""
        ...


class SinkFactory(Protocol):
    """What an entry point of `guided_descent.sinks` names."""

    def __call__(self, folder: Path) -> Sink:
        """A sink for one attempt; the folder is its own and may not exist yet."""
        ...
