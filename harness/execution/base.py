"""The interface of executors, which decide where and when whole trials run."""

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
    """How trials run on this machine; not part of a trial's identity."""

    sandbox: str = DEFAULT_SANDBOX
    data_dir: Path | None = None
    cache_dir: Path | None = None
    """The cache of prepared data; None for the default."""
    threads: int = 2
    checkpoint_s: float = 60.0
    """The least timed seconds between two checkpoints of a trial."""
    fingerprint: str | None = None
    """The fingerprint of the hardware that the trials were planned for; None for any."""


class Executor(Protocol):
    """Runs the trials of one store; a context manager, which stops what it has started."""

    def __enter__(self) -> Self:
        """Prepare to run trials."""
        ...

    def __exit__(self, *_: object) -> None:
        """Stop; unfinished trials stay in the store as they are."""
        ...

    def run(self, trials: Sequence[Trial], options: RunOptions) -> tuple[TrialRecord, ...]:
        """Run the trials that have no finished record; return the records of all.

        After an interruption finished trials stay in the store; the next call runs the others.
        """
        ...


@dataclass(frozen=True)
class Resources:
    """The resources that one trial needs."""

    cores: int
    gpus: int
    memory_gib: float
    """The worker's limit plus the referee's memory."""
    is_timed: bool
    """Whether it is timed, so that it must not share its resources."""


@runtime_checkable
class RemoteExecutor(Executor, Protocol):
    """An executor that runs trials on other machines, where they must then be planned as well."""

    def call(
        self, need: Resources, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a function on one of the executor's machines.

        Args:
            need: the resources to request, as for a trial.
            function: a module-level function of this package; it is pickled, like its arguments and
                its result.
            args: its positional arguments.
            kwargs: its keyword arguments.

        Raises:
            HarnessError: the engine cannot run it, or the function raises one.
        """
        ...


class ExecutorFactory(Protocol):
    """The object that an entry point of `guided_descent.executors` names.

    It sets `is_serial = True` if its executors run trials one after the other on this machine, in
    the given order, which `harness run --with-reference` requires.
    """

    def __call__(
        self, store: Path, display: Display, *, jobs: int = 1, profile: Path | None = None
    ) -> Executor:
        """Create an executor.

        Args:
            store: the folder of the trials' records.
            display: is notified of every trial that runs.
            jobs: how many trials run at once.
            profile: a TOML file that configures how to request machines.

        Raises:
            HarnessError: it cannot run that many, the profile is invalid or not supported, or its
                engine cannot be reached.
        """
        ...


def refuse_profile(executor: str, profile: Path | None) -> None:
    """Refuse a profile for an executor that has none.

    Raises:
        HarnessError: there is one.
    """
    if profile is not None:
        raise HarnessError(
            f"executor '{executor}' takes no profile, so {profile} has no effect",
            "leave out --profile, or name the executor that it is for: --executor slurm or ray",
        )
