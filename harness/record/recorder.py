"""One stream of events: into the log, into every sink, and to whoever watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Protocol

from harness.record.log import EventLog
from harness.record.schema import Author, ToldEvent, TrainingProgress, TrialEvent
from harness.record.sinks.load import open_sinks
from harness.record.store import EVENTS_FILE


class Observer(Protocol):
    """Hears every event of a trial as it happens."""

    def event(self, event: ToldEvent) -> None:
        """What happened; progress is told and not recorded."""
        ...


class Silent:
    """An observer that shows nothing."""

    def event(self, event: ToldEvent) -> None:
        """Let it pass."""


class Recorder:
    """Writes each event to the log and to the sinks, then tells the observer."""

    def __init__(self, folder: Path, observer: Observer) -> None:
        self._folder = folder
        self._observer = observer

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keep log and sinks open for one attempt."""
        with ExitStack() as stack:
            self._log = stack.enter_context(closing(EventLog(self._folder / EVENTS_FILE)))
            self._sinks = open_sinks(self._folder)
            for sink in self._sinks:
                stack.enter_context(closing(sink))
            yield

    def emit(self, event: TrialEvent) -> None:
        """Record what the referee measured."""
        self._write(event, "referee")

    def claim(self, event: TrialEvent) -> None:
        """Record what the worker said."""
        self._write(event, "worker")

    def tell(self, progress: TrainingProgress) -> None:
        """Show without recording."""
        self._observer.event(progress)

    def _write(self, event: TrialEvent, by: Author) -> None:
        self._log.append(event, by)
        for sink in self._sinks:
            sink.show(event)
        self._observer.event(event)
