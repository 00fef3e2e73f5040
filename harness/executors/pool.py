"""Several whole trials at once, each in a process of this machine; for trials counted in steps.

Times measured this way are of no use: trials share the machine. With a budget in steps the metrics
after each step do not depend on that.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.plan.store import record_of, unfinished
from harness.trial import Result, Trial, TrialRecord

if TYPE_CHECKING:
    from harness.body import RunOptions

Finished = Callable[[TrialRecord], None]


class Silent:
    """An observer that shows nothing."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Let it pass."""


def run_pool(
    trials: Sequence[Trial], store: Path, options: RunOptions, jobs: int, finished: Finished
) -> tuple[TrialRecord, ...]:
    """Run the trials that have no finished record; return what the store then holds of all.

    Args:
        trials: trials with a budget in steps.
        store: the folder of their records.
        options: sandbox, folders and threads of each trial.
        jobs: how many trials run at once.
        finished: hears of each trial that has ended.

    Raises:
        HarnessError: a trial has a budget in seconds, though several are to run at once.
    """
    if jobs > 1 and any(trial.budget.steps is None for trial in trials):
        raise HarnessError("trials on the clock run one at a time", "leave out --jobs")
    missing = unfinished(trials, store)
    if jobs == 1:
        for trial in missing:
            finished(_record(trial, run_silently(trial, store, options)))
    elif missing:
        _run_at_once(missing, store, options, jobs, finished)
    return tuple(record_of(trial, store) for trial in trials)


def _run_at_once(
    trials: Sequence[Trial], store: Path, options: RunOptions, jobs: int, finished: Finished
) -> None:
    # spawned, because the worker's nursery must start from a process that has computed nothing
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    try:
        running = {pool.submit(run_silently, trial, store, options): trial for trial in trials}
        for future in as_completed(running):
            finished(_record(running[future], future.result()))
    finally:
        pool.shutdown(cancel_futures=True)


def run_silently(trial: Trial, store: Path, options: RunOptions) -> Result:
    """Run one trial and show nothing."""
    from harness.body import run_trial

    return run_trial(trial, store, options, Silent())


def _record(trial: Trial, result: Result) -> TrialRecord:
    return TrialRecord(identity=trial.identity, trial=trial, result=result)
