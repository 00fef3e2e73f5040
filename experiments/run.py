"""Run an experiment's trials on any executor; finished trials are never run again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.job import Job
from experiments.trials import PlacedTrial, select_rehearsals, trunks_of
from harness.core.errors import HarnessError
from harness.execution.base import Executor, RunOptions
from harness.execution.rehearsal import rehearse
from harness.execution.resolved import prepare_data, resolve_trial
from harness.plan.plan import Plan
from harness.plan.trial import TrialRecord
from harness.record.plan import unfinished_trials
from harness.runs import sources
from harness.runs.run import run_plan


def prepare_experiment(
    job: Job, placed_trials: tuple[PlacedTrial, ...], options: RunOptions
) -> None:
    """Make the data of the first trial, so that missing data are noticed before anything runs.

    Raises:
        HarnessError: they cannot be made; the message suggests the quick form if it uses other
            data.
    """
    with _naming_the_quick_form(job):
        prepare_data(placed_trials[0].trial, options)


def check_sources(job: Job, options: RunOptions) -> None:
    """Check that what the data are made from is here, without making them.

    Raises:
        HarnessError: as from `prepare_experiment`.
    """
    with _naming_the_quick_form(job):
        sources.check_sources(job.form.workload, job.form.suite, options.data_dir)


@contextmanager
def _naming_the_quick_form(job: Job) -> Iterator[None]:
    try:
        yield
    except HarnessError as error:
        quick = job.experiment.quick
        if (job.form.suite, job.form.workload) == (quick.suite, quick.workload):
            raise
        way_out = f"or run the small form, on {quick.workload} of suite {quick.suite}: --quick"
        raise HarnessError(error.message, f"{error.hint}\n  {way_out}") from error


def rehearse_experiment(
    placed_trials: tuple[PlacedTrial, ...], store: Path, options: RunOptions
) -> None:
    """Let every entry make its first steps at each value of its sweeps, before any trial runs.

    An entry with a finished trial has been rehearsed already.

    Raises:
        HarnessError: a submission refuses a value; the message names entry and point.
    """
    pending = {
        trial.identity for trial in unfinished_trials([each.trial for each in placed_trials], store)
    }
    under_way = {each.entry for each in placed_trials if each.trial.identity not in pending}
    fresh = tuple(each for each in placed_trials if each.entry not in under_way)
    trunks = unfinished_trials(trunks_of(placed_trials), store)[
        :1
    ]  # which differ by their instances alone
    for trial in (*trunks, *select_rehearsals(fresh)):
        rehearse(resolve_trial(trial, options), options)


def run_experiment(
    placed_trials: tuple[PlacedTrial, ...],
    store: Path,
    options: RunOptions,
    new_executor: Callable[[], Executor],
) -> tuple[TrialRecord, ...]:
    """Run the trials that have no finished record; return the records of all, in their order.

    Trunks run before the trials that branch off them.

    Raises:
        HarnessError: the store cannot be written, or holds trials of another version.
    """
    if trunks := trunks_of(placed_trials):
        run_plan(Plan(trunks), store, options, new_executor())
    plan = Plan(tuple(each.trial for each in placed_trials))
    return run_plan(plan, store, options, new_executor())
