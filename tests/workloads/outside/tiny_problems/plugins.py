"""A sink, an executor and a framework of an outside package."""

from __future__ import annotations

from pathlib import Path

from harness.display.base import Display
from harness.execution.local import LocalExecutor
from harness.frameworks.torch.backends import BACKENDS
from harness.record.schema import End, TrialEvent

EAGER = BACKENDS
"""PyTorch under another name."""


class Results:
    """Writes a line for each trial that ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._file = (folder / "results.txt").open("a", encoding="utf-8")

    def show(self, event: TrialEvent) -> None:
        """Write the state of an end."""
        if isinstance(event, End):
            self._file.write(f"{event.result.state}\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def announcing_executor(
    store: Path, display: Display, *, jobs: int = 1, profile: Path | None = None
) -> LocalExecutor:
    """The local executor, which says so."""
    display.note(f"announced: {store.name}")
    return LocalExecutor(store, display, jobs=jobs, profile=profile)
