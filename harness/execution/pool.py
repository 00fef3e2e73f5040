"""The executor `pool`: several trials at once on this machine; for budgets in steps.

Its times mean nothing, because trials share the machine. With a budget in steps the metrics do not
depend on time.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Self

from harness.core.errors import HarnessError
from harness.display.base import Display
from harness.execution.base import RunOptions, refuse_profile
from harness.plan.trial import Trial, TrialRecord
from harness.record.plan import record_of, unfinished_trials
from harness.record.recorder import Silent


class PoolExecutor:
    """A pool of processes, kept from one call to the next.

    Args:
        store: the folder of the trials' records.
        display: is notified of each trial that has ended.
        jobs: how many processes; with one, trials can be timed.
        profile: only None is accepted, since there are no machines to request.

    Raises:
        HarnessError: there is a profile.
    """

    def __init__(
        self, store: Path, display: Display, *, jobs: int = 1, profile: Path | None = None
    ) -> None:
        refuse_profile("pool", profile)
        self._store, self._display, self._jobs = store, display, jobs

    def __enter__(self) -> Self:
        # spawned, because the worker's fork server must start from a process that has computed
        # nothing
        context = multiprocessing.get_context("spawn")
        self._processes = ProcessPoolExecutor(self._jobs, context, end_with_parent)
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.shutdown(cancel_futures=True)
        self._display.close()

    def run(self, trials: Sequence[Trial], options: RunOptions) -> tuple[TrialRecord, ...]:
        """Run the trials that have no finished record; return the records of all.

        Raises:
            HarnessError: several run at once and one has a budget in seconds, or a process was
                killed.
        """
        if self._jobs > 1 and any(trial.budget.steps is None for trial in trials):
            raise HarnessError("trials on the clock run one at a time", "leave out --jobs")
        try:
            self._run_unfinished(trials, options)
        except BrokenProcessPool as error:
            raise HarnessError(
                "executor 'pool': a process that ran a trial was killed",
                "it may have run out of memory: free some, or lower --jobs; re-running skips "
                "finished trials and resumes interrupted ones",
            ) from error
        return tuple(record_of(trial, self._store) for trial in trials)

    def _run_unfinished(self, trials: Sequence[Trial], options: RunOptions) -> None:
        futures = [
            self._processes.submit(run_silently, trial, self._store, options)
            for trial in unfinished_trials(trials, self._store)
        ]
        for future in as_completed(futures):
            self._display.finish(future.result())


def end_with_parent() -> None:
    """Exit when the parent process is gone, for example because it was killed."""
    if (parent := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def run_silently(trial: Trial, store: Path, options: RunOptions) -> TrialRecord:
    """Run one trial and show nothing."""
    from harness.execution.trial import run_trial

    result = run_trial(trial, store, options, Silent())
    return TrialRecord(identity=trial.identity, trial=trial, result=result)
