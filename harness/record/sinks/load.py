"""Loads all sinks, shipped and installed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from harness.core.errors import stopping_the_run
from harness.providers.table import SINKS
from harness.record.schema import TrialEvent
from harness.record.sinks.base import Sink, SinkFactory


def open_sinks(folder: Path) -> tuple[Sink, ...]:
    """Every sink, with a folder of its name in the trial's folder."""
    return tuple(NamedSink(name, folder / name) for name in SINKS.names)


class NamedSink:
    """Wraps a sink so that its failure stops the run and is not taken for a result of the trial.

    Args:
        name: the provider's name.
        folder: the sink's folder.

    Raises:
        CannotWriteError: the sink failed; the methods raise this too.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        make: SinkFactory = SINKS.load(name)
        with self._name_errors():
            self._sink = make(folder)

    def show(self, event: TrialEvent) -> None:
        """Write one event."""
        with self._name_errors():
            self._sink.show(event)

    def close(self) -> None:
        """End."""
        with self._name_errors():
            self._sink.close()

    def _name_errors(self) -> AbstractContextManager[None]:
        return stopping_the_run(f"sink '{self._name}'", "fix or uninstall its package, and ")
