"""What an executor is: it places whole trials, and neither plans nor trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from harness.display.base import Display
from harness.plan.trial import Trial, TrialRecord


@dataclass(frozen=True)
class RunOptions:
    """What decides how a trial runs on this machine, and not what it is."""

    sandbox: str = "plain"
    data_dir: Path | None = None
    cache_dir: Path | None = None
    threads: int = 2
    checkpoint_s: float = 60.0
    """The least timed seconds between two checkpoints of a trial."""


class Executor(Protocol):
    """Runs the trials of one store; a context manager, which ends what it has started."""

    def __enter__(self) -> Self:
        """Make ready to run trials."""
        ...

    def __exit__(self, *_: object) -> None:
        """End; trials that have not finished stay in the store as they are."""
        ...

    def run(self, trials: Sequence[Trial], options: RunOptions) -> tuple[TrialRecord, ...]:
        """Run the trials that have no finished record; return what the store then holds of all.

        An interruption leaves what is finished in the store; the next call runs the rest.
        """
        ...


class ExecutorFactory(Protocol):
    """What an entry point of `guided_descent.executors` names."""

    def __call__(self, store: Path, display: Display, *, jobs: int = 1) -> Executor:
        """An executor.

        Args:
            store: the folder of the trials' records.
            display: hears of every trial that runs.
            jobs: how many trials run at once.

        Raises:
            HarnessError: it cannot run so many.
        """
        ...
