"""What an executor is: it places whole trials, and neither plans nor trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, Protocol, Self, TypeVar, runtime_checkable

from harness.core.errors import HarnessError
from harness.display.base import Display
from harness.plan.trial import Trial, TrialRecord
from harness.providers.table import DEFAULT_SANDBOX

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class RunOptions:
    """What decides how a trial runs on this machine, and not what it is."""

    sandbox: str = DEFAULT_SANDBOX
    data_dir: Path | None = None
    cache_dir: Path | None = None
    threads: int = 2
    checkpoint_s: float = 60.0
    """The least timed seconds between two checkpoints of a trial."""
    fingerprint: str | None = None
    """The hardware that the trials were planned for, which no other may run; None for any."""


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


@dataclass(frozen=True)
class Resources:
    """What one trial needs of the machine that it runs on."""

    cores: int
    gpus: int
    memory_gib: float
    """The worker's limit and its referee's memory."""
    is_timed: bool
    """Whether it is on the clock, so that nothing else may run on what it has."""


@runtime_checkable
class RemoteExecutor(Executor, Protocol):
    """An executor whose trials run on other machines, for which they must be planned there."""

    def call(
        self, need: Resources, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function on one of the machines that trials run on.

        Args:
            need: what it gets, as a trial would.
            function: of a module of this package; it and what it takes and returns are pickled.
            args: its arguments.
            kwargs: likewise.

        Raises:
            HarnessError: the engine cannot run it, or the function raises one.
        """
        ...


class ExecutorFactory(Protocol):
    """What an entry point of `guided_descent.executors` names.

    One whose executors run trials one after the other on this machine, in the order they are
    given, has the attribute `is_serial = True`; `harness run --with-reference` needs one.
    """

    def __call__(
        self, store: Path, display: Display, *, jobs: int = 1, profile: Path | None = None
    ) -> Executor:
        """An executor.

        Args:
            store: the folder of the trials' records.
            display: hears of every trial that runs.
            jobs: how many trials run at once.
            profile: the TOML file that says how to ask an engine for machines.

        Raises:
            HarnessError: it cannot run so many, has no profile or another one, or its engine cannot
                be reached.
        """
        ...


def refuse_profile(executor: str, profile: Path | None) -> None:
    """Refuse a profile that an executor has no use for.

    Raises:
        HarnessError: there is one.
    """
    if profile is not None:
        raise HarnessError(
            f"executor '{executor}' has no profile, so {profile} says nothing to it",
            "leave out --profile, or name the executor that it is for: --executor slurm or ray",
        )
