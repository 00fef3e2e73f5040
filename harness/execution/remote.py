"""What engines that run trials on other machines share: a trial's body, and errors that travel.

The body is `harness trial`, in a process of its own: it has neither the engine's signal handlers
nor its threads, and whatever the engine kills it with, its next attempt goes on from the record.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, ParamSpec, TypeVar

from harness.core.errors import HarnessError
from harness.execution.base import Resources, RunOptions
from harness.plan.trial import Trial
from harness.record.store import TRIAL_FILE
from harness.sandboxes.libc import die_with_parent

P = ParamSpec("P")
T = TypeVar("T")


REFEREE_GIB = 4.0
"""What a referee needs beside its worker: held-out data, snapshots and a model."""


def resources_of(trials: Sequence[Trial], options: RunOptions) -> Resources:
    """What the most demanding of some trials needs."""
    return Resources(
        cores=options.threads * max(trial.devices for trial in trials),
        gpus=max(int(trial.device != "cpu") for trial in trials),
        memory_gib=max(t.limits.memory_gib * t.devices for t in trials) + REFEREE_GIB,
        is_timed=any(trial.budget.steps is None for trial in trials),
    )


def trial_command(trial: Trial, store: Path, options: RunOptions) -> tuple[str, ...]:
    """The command that runs a trial of a store which has its `trial.json`."""
    flags: dict[str, object] = {
        "--store": store,
        "--sandbox": options.sandbox,
        "--threads": options.threads,
        "--checkpoint-every": options.checkpoint_s,
        "--data-dir": options.data_dir,
        "--cache-dir": options.cache_dir,
        "--hardware": options.fingerprint,
    }
    pairs = [(name, str(value)) for name, value in flags.items() if value is not None]
    file = str(store / trial.folder / TRIAL_FILE)
    return ("trial", file, *(word for flag in pairs for word in flag))


def run_command(arguments: Sequence[str], output: Path | None = None) -> int:
    """Run a command of the harness with this interpreter; it ends when this process does.

    Args:
        arguments: of the command.
        output: the file that what it prints goes to; None for this process's own output.
    """
    with output.open("wb") if output else nullcontext() as file:
        return subprocess.run(
            [sys.executable, "-m", "harness", *arguments],
            stdout=file,
            stderr=file,
            preexec_fn=partial(die_with_parent, signal.SIGKILL),
            check=False,
        ).returncode


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What a call on another machine came to: its value, or a user's error in its two parts."""

    value: T | None
    error: tuple[str, str] | None = None

    def result(self) -> T:
        """The value.

        Raises:
            HarnessError: the call raised one there.
        """
        if self.error is not None:
            raise HarnessError(*self.error)
        assert self.value is not None
        return self.value


def outcome_of(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Outcome[T]:
    """Call a function on the machine where this runs."""
    try:
        return Outcome(function(*args, **kwargs))
    except HarnessError as error:
        return Outcome(None, (error.message, error.hint))
