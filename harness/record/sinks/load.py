"""All sinks: those that ship and those of installed packages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.core.errors import CannotWriteError
from harness.providers.table import SINKS
from harness.record.schema import TrialEvent
from harness.record.sinks.base import Sink, SinkFactory


def open_sinks(folder: Path) -> tuple[Sink, ...]:
    """Every sink, each with a folder of its name in a trial's folder."""
    return tuple(NamedSink(name, folder / name) for name in SINKS.names)


class NamedSink:
    """A sink whose failure is its own: it stops the run, and is no result of the trial.

    Args:
        name: of the provider.
        folder: the sink's own.

    Raises:
        CannotWriteError: the sink failed; so do all methods.
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
                "mend or uninstall its package, and run the same command again; finished trials "
                "are kept",
            ) from error
