"""An experiment's trials run: on any executor, each once, those that are finished never again."""

from __future__ import annotations

from pathlib import Path

from experiments.trials import PlacedTrial, rehearsed
from harness.execution.base import Executor, RunOptions
from harness.execution.rehearsal import rehearse
from harness.execution.resolved import resolve_trial
from harness.plan.plan import Plan
from harness.plan.trial import TrialRecord
from harness.record.plan import unfinished
from harness.runs.run import run_plan


def rehearse_experiment(placed: tuple[PlacedTrial, ...], store: Path, options: RunOptions) -> None:
    """Let every entry make its first steps at each value of its sweeps, before any trial runs.

    An entry of which a trial is finished has been rehearsed already.

    Raises:
        HarnessError: a submission refuses a value; the message names entry and point.
    """
    pending = {trial.identity for trial in unfinished([each.trial for each in placed], store)}
    begun = {each.entry for each in placed if each.trial.identity not in pending}
    fresh = tuple(each for each in placed if each.entry not in begun)
    for trial in rehearsed(fresh):
        rehearse(resolve_trial(trial, options), options)


def run_experiment(
    placed: tuple[PlacedTrial, ...], store: Path, options: RunOptions, executor: Executor
) -> tuple[TrialRecord, ...]:
    """Run the trials that have no finished record; return the records of all, in their order.

    Raises:
        HarnessError: the store cannot be written, or holds trials of another version.
    """
    plan = Plan(tuple(each.trial for each in placed))
    return run_plan(plan, store, options, executor)
