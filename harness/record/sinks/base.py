"""The interface of sinks, which write a trial's events in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from harness.record.schema import TrialEvent


class Sink(Protocol):
    """Receives the events of one attempt. Its output is never read by the harness."""

    def show(self, event: TrialEvent) -> None:
        """Write one event, or ignore it.

        Raises:
            CannotWriteError: it cannot be written.
        """
        ...

    def close(self) -> None:
        """Flush and close."""
        ...


class SinkFactory(Protocol):
    """The object that an entry point of `guided_descent.sinks` names."""

    def __call__(self, folder: Path) -> Sink:
        """Create a sink for one attempt; the folder is its own and may not exist yet."""
        ...
