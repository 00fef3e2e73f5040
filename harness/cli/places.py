"""Groups of flags for where and how trials run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.flags import (
    CheckpointEvery,
    DataDir,
    ExecutorName,
    Out,
    ProfileFile,
    Sandbox,
    Sinks,
    Threads,
)
from harness.providers.table import DEFAULT_EXECUTOR, DEFAULT_SANDBOX

if TYPE_CHECKING:
    from harness.cli.planning import PlanArguments
    from harness.core.console import PlainConsole
    from harness.execution.base import Executor, RunOptions
    from harness.runs.tracking import Outbox


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where trials run and their records go; `harness.cli.flags` describes each flag."""

    out: Out = None
    data_dir: DataDir = None
    executor: ExecutorName = DEFAULT_EXECUTOR
    threads: Threads = None

    @property
    def is_elsewhere(self) -> bool:
        """Whether trials run on other machines; does not connect to the executor's engine.

        Raises:
            UnknownNameError: no executor has that name.
        """
        from harness.execution.base import RemoteExecutor
        from harness.providers.table import EXECUTORS

        kind = EXECUTORS.load(self.executor)
        return isinstance(kind, type) and issubclass(kind, RemoteExecutor)

    @property
    def is_serial(self) -> bool:
        """Whether trials run one at a time on this machine.

        Raises:
            UnknownNameError: no executor has that name.
        """
        from harness.execution.load import is_serial

        return is_serial(self.executor)

    def store(self, arguments: PlanArguments) -> Path:
        """The folder of the records."""
        return self.out or Path("runs") / arguments.suite_spec.name

    def options(self, arguments: PlanArguments, sandbox: str = DEFAULT_SANDBOX) -> RunOptions:
        """The options of trials.

        Raises:
            HarnessError: a value is not allowed.
        """
        from harness.cli.machine import run_options

        return run_options(
            sandbox,
            self.data_dir,
            self.threads,
            arguments.cores,
            devices=arguments.devices,
            is_elsewhere=self.is_elsewhere,
        )


@dataclass(frozen=True, kw_only=True)
class Conduct:
    """How trials run; `harness.cli.flags` describes each flag."""

    sandbox: Sandbox = DEFAULT_SANDBOX
    profile: ProfileFile = None
    checkpoint_every: CheckpointEvery = 60.0
    sink: Sinks = None

    def options(self, arguments: PlanArguments, place: Place) -> RunOptions:
        """The options of trials.

        Raises:
            HarnessError: a value is not allowed.
        """
        return replace(place.options(arguments, self.sandbox), checkpoint_s=self.checkpoint_every)

    def outbox(self, console: PlainConsole, store: Path) -> Outbox:
        """The outbox that sends ended trials to the requested trackers.

        Raises:
            HarnessError: a tracker is unknown, or its package is not installed.
        """
        from harness.cli.machine import say_on
        from harness.record.trackers.load import tracker_names
        from harness.runs.tracking import Outbox

        return Outbox(store, tracker_names(self.sink or ()), say_on(console))

    def open(self, console: PlainConsole, place: Place, store: Path, outbox: Outbox) -> Executor:
        """The executor. Connects to its engine and the sandbox's first, so that failures appear
        before anything is measured.

        Raises:
            HarnessError: an engine cannot be reached, or the profile does not fit the executor.
        """
        from harness.cli.machine import say_on
        from harness.display.endings import RemoteDisplay
        from harness.display.load import display_for
        from harness.execution.load import executor
        from harness.runs.tracking import TrackedDisplay
        from harness.sandboxes.load import sandbox

        if not place.is_elsewhere:
            sandbox(self.sandbox)
        display = RemoteDisplay(say_on(console)) if place.is_elsewhere else display_for(console)
        tracked_display = TrackedDisplay(display, outbox)
        return executor(place.executor, store, tracked_display, profile=self.profile)
