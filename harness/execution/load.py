"""The executor of a name."""

from __future__ import annotations

from pathlib import Path

from harness.display.base import Display
from harness.execution.base import Executor, ExecutorFactory
from harness.providers.table import EXECUTORS


def executor(name: str, store: Path, display: Display, *, jobs: int = 1) -> Executor:
    """The executor of a name, for one store.

    Args:
        name: such as `local`.
        store: the folder of the trials' records.
        display: hears of every trial that runs.
        jobs: how many trials run at once.

    Raises:
        UnknownNameError: there is none.
        HarnessError: it cannot run so many.
    """
    make: ExecutorFactory = EXECUTORS.load(name)
    return make(store, display, jobs=jobs)
