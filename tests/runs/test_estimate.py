"""What a run takes, before it trains."""

import math
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Result, TrialRecord
from harness.record.store import write_record
from harness.runs.estimate import estimate
from workloads.data.cache import LIMIT_BYTES

PLANNED = plan(PlanRequest("mlp", "adamw", trials=3)).trials


def finish(store: Path, number: int) -> None:
    trial = PLANNED[number]
    result = Result(state="budget", reason="", timed_s=1.0, steps=1)
    write_record(
        store / trial.folder, TrialRecord(identity=trial.identity, trial=trial, result=result)
    )


def test_time_is_the_sum_of_budgets_and_with_warm_up_of_these_too(tmp_path: Path) -> None:
    result, first = estimate(PLANNED, tmp_path), PLANNED[0]
    assert (result.trials, result.pending) == (3, 3)
    assert math.isclose(result.timed_s, 3 * first.budget.runtime_s)
    assert math.isclose(result.longest_s - result.timed_s, 3 * first.limits.warmup_s)
    assert result.memory_gib == first.limits.memory_gib


def test_trials_counted_in_steps_have_steps_and_no_time(tmp_path: Path) -> None:
    (trial,) = plan(PlanRequest("rosenbrock", "adamw", suite="landscapes", trials=1)).trials
    result = estimate((*PLANNED, trial), tmp_path)
    assert result.steps == trial.budget.steps
    assert math.isclose(result.timed_s, 3 * PLANNED[0].budget.runtime_s)


def test_finished_trials_take_nothing(tmp_path: Path) -> None:
    finish(tmp_path, 0)
    result = estimate(PLANNED, tmp_path)
    assert result.pending == 2
    assert math.isclose(result.timed_s, 2 * PLANNED[1].budget.runtime_s)


def test_a_run_that_is_done_costs_nothing(tmp_path: Path) -> None:
    for number in range(3):
        finish(tmp_path, number)
    result = estimate(PLANNED, tmp_path)
    assert (result.timed_s, result.memory_gib, result.disk_bytes) == (0.0, 0.0, 0)
    assert result.price(rate=2.0) == 0.0


def test_the_price_is_of_hours(tmp_path: Path) -> None:
    result = estimate(PLANNED, tmp_path)
    assert math.isclose(result.price(rate=7.2), result.longest_s * 0.002)


def test_disk_holds_a_checkpoint_beside_the_cache(tmp_path: Path) -> None:
    # the largest state that a worker may hand over is 64 MiB for a model as small as mlp's
    assert estimate(PLANNED, tmp_path).disk_bytes >= LIMIT_BYTES + 64 * 2**20


def test_an_empty_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no trial is planned"):
        estimate((), tmp_path)
