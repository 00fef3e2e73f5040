"""Several whole trials at once, each in a process of this machine; for trials counted in steps.

Times measured this way are of no use: trials share the machine. With a budget in steps the metrics
after each step do not depend on that.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Self

from harness.core.errors import HarnessError
from harness.plan.trial import Result, Trial, TrialRecord
from harness.record.plan import record_of, unfinished
from harness.record.schema import ToldEvent

if TYPE_CHECKING:
    from harness.execution.body import RunOptions

Finished = Callable[[TrialRecord], None]


class Silent:
    """An observer that shows nothing."""

    def event(self, event: ToldEvent) -> None:
        """Let it pass."""


class Pool:
    """Processes that stay from one batch of trials to the next; a context manager.

    Args:
        store: the folder of the trials' records.
        jobs: how many processes.
        finished: hears of each trial that has ended.
    """

    def __init__(self, store: Path, jobs: int, finished: Finished) -> None:
        self._store, self._jobs, self._finished = store, jobs, finished

    def __enter__(self) -> Self:
        # spawned, because the worker's fork server must start from a process that has computed
        # nothing
        context = multiprocessing.get_context("spawn")
        self._processes = ProcessPoolExecutor(self._jobs, context, end_with_parent)
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.shutdown(cancel_futures=True)

    def run(self, trials: Sequence[Trial], options: RunOptions) -> tuple[TrialRecord, ...]:
        """Run the trials that have no finished record; return what the store then holds of all.

        Raises:
            HarnessError: several are to run at once, but one has a budget in seconds.
        """
        if self._jobs > 1 and any(trial.budget.steps is None for trial in trials):
            raise HarnessError("trials on the clock run one at a time", "leave out --jobs")
        waiting = [self._submit(trial, options) for trial in unfinished(trials, self._store)]
        for ended in as_completed(waiting):
            self._finished(ended.result())
        return tuple(record_of(trial, self._store) for trial in trials)

    def run_alone(self, trials: Sequence[Trial], options: RunOptions) -> tuple[TrialRecord, ...]:
        """The same, one trial after the other, so that they can be timed."""
        for trial in unfinished(trials, self._store):
            self._finished(self._submit(trial, options).result())
        return tuple(record_of(trial, self._store) for trial in trials)

    def _submit(self, trial: Trial, options: RunOptions) -> Future[TrialRecord]:
        return self._processes.submit(run_silently, trial, self._store, options)


def end_with_parent() -> None:
    """End this process when its parent is gone, killed say, and can no longer tell it to."""
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def run_silently(trial: Trial, store: Path, options: RunOptions) -> TrialRecord:
    """Run one trial and show nothing."""
    from harness.execution.body import run_trial

    result: Result = run_trial(trial, store, options, Silent())
    return TrialRecord(identity=trial.identity, trial=trial, result=result)
