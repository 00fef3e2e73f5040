"""Creates executors by name."""

from __future__ import annotations

from pathlib import Path

from harness.display.base import Display
from harness.execution.base import Executor, ExecutorFactory
from harness.providers.table import CONCURRENT_EXECUTOR, DEFAULT_EXECUTOR, EXECUTORS


def executor(
    name: str, store: Path, display: Display, *, jobs: int = 1, profile: Path | None = None
) -> Executor:
    """Create the executor of a name, for one store.

    Args:
        name: such as `local`.
        store: the folder of the trials' records.
        display: is notified of every trial that runs.
        jobs: how many trials run at once.
        profile: a TOML file that configures how to request machines.

    Raises:
        UnknownNameError: there is none.
        HarnessError: it cannot run that many, the profile is invalid or not supported, or its
            engine cannot be reached.
    """
    make: ExecutorFactory = EXECUTORS.load(name)
    return make(store, display, jobs=jobs, profile=profile)


def executor_for(jobs: int) -> str:
    """The name of the executor that runs this many trials at once on this machine."""
    return DEFAULT_EXECUTOR if jobs == 1 else CONCURRENT_EXECUTOR


def is_serial(name: str) -> bool:
    """Whether an executor runs trials one after the other on this machine.

    Raises:
        UnknownNameError: no executor has that name.
    """
    return getattr(EXECUTORS.load(name), "is_serial", False)
