"""Loads all sinks, shipped and installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.core.errors import CannotWriteError
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

    @contextmanager
    def _name_errors(self) -> Iterator[None]:
        try:
            yield
        except CannotWriteError:
            raise
        except Exception as error:  # an outside package's own
            raise CannotWriteError(
                f"sink '{self._name}' failed: {type(error).__name__}: {error}",
                "fix or uninstall its package, and run the same command again; finished trials "
                "are kept",
            ) from error
