"""One stream of events: into the log, onto TensorBoard, and to whoever watches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

from harness.record.log import EventLog
from harness.record.sinks.tensorboard import Board
from harness.record.store import EVENTS_FILE


class Observer(Protocol):
    """Hears every event of a trial as it happens."""

    def event(self, event: Mapping[str, Any]) -> None:
        """`kind` and the event's own keys; `progress` events are told and not recorded."""
        ...


class Recorder:
    """Writes each event to the log and to TensorBoard, then tells the observer."""

    def __init__(self, folder: Path, observer: Observer) -> None:
        self._folder = folder
        self._observer = observer

    @contextmanager
    def open(self) -> Iterator[None]:
        """Keep log and board open for one attempt."""
        with (
            closing(EventLog(self._folder / EVENTS_FILE)) as self._log,
            closing(Board(self._folder / "tensorboard")) as self._board,
        ):
            yield

    def emit(self, kind: str, data: Mapping[str, Any]) -> None:
        """Record what the referee measured."""
        self._log.append(kind, "referee", data)
        self._board.show(kind, data)
        self.tell(kind, data)

    def claim(self, kind: str, data: Mapping[str, Any]) -> None:
        """Record what the worker said."""
        self._log.append(kind, "worker", data)
        self._board.show(kind, data)
        self.tell(kind, data)

    def tell(self, kind: str, data: Mapping[str, Any]) -> None:
        """Show without recording."""
        self._observer.event({"kind": kind, **data})
