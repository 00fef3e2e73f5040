"""Sends each event to the log, to every sink and to an observer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Protocol

from harness.core.errors import stopping_the_run
from harness.record.log import EventLog
from harness.record.schema import Author, ToldEvent, TrainingProgress, TrialEvent
from harness.record.sinks.load import open_sinks
from harness.record.store import EVENTS_FILE


class Observer(Protocol):
    """Is notified of every event of a trial."""

    def event(self, event: ToldEvent) -> None:
        """Handle an event; progress events are not recorded."""
        ...


class Silent:
    """An observer that shows nothing."""

    def event(self, event: ToldEvent) -> None:
        """Ignore it."""


class Recorder:
    """Writes each event to the log and the sinks, then notifies the observer."""

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
        """Record a measurement of the referee."""
        self._write(event, "referee")

    def claim(self, event: TrialEvent) -> None:
        """Record a claim of the worker."""
        self._write(event, "worker")

    def tell(self, progress: TrainingProgress) -> None:
        """Notify the observer without recording."""
        self._notify(progress)

    def _write(self, event: TrialEvent, by: Author) -> None:
        self._log.append(event, by)
        for sink in self._sinks:
            sink.show(event)
        self._notify(event)

    def _notify(self, event: ToldEvent) -> None:
        with stopping_the_run("the display", ""):  # standard output on a full disk, say
            self._observer.event(event)
