"""Shared by executors on other machines: the command that runs a trial, and errors of calls.

A trial runs as `harness trial` in a process of its own, without the engine's signal handlers and
threads; however the engine kills it, the next attempt resumes from the record.
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
"""The referee's own memory, for held-out data, snapshots and a model."""


def resources_of(trials: Sequence[Trial], options: RunOptions) -> Resources:
    """Resources that are enough for each of some trials."""
    return Resources(
        cores=options.threads * max(trial.devices for trial in trials),
        gpus=max(int(trial.device != "cpu") for trial in trials),
        memory_gib=max(t.limits.memory_gib * t.devices for t in trials) + REFEREE_GIB,
        is_timed=any(trial.budget.steps is None for trial in trials),
    )


def trial_command(trial: Trial, store: Path, options: RunOptions) -> tuple[str, ...]:
    """The command that runs a trial whose `trial.json` is in a store."""
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
    """Run a harness command with this interpreter; it is killed when this process ends.

    Args:
        arguments: the words after `harness`.
        output: the file for its output; None for this process's own output.
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
    """The result of a call on another machine: its value, or the two parts of a `HarnessError`."""

    value: T | None
    error: tuple[str, str] | None = None

    def result(self) -> T:
        """The value.

        Raises:
            HarnessError: the call raised one.
        """
        if self.error is not None:
            raise HarnessError(*self.error)
        assert self.value is not None
        return self.value


def outcome_of(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Outcome[T]:
    """Call a function, and catch a `HarnessError`."""
    try:
        return Outcome(function(*args, **kwargs))
    except HarnessError as error:
        return Outcome(None, (error.message, error.hint))
