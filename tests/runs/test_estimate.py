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
    found, first = estimate(PLANNED, tmp_path), PLANNED[0]
    assert (found.trials, found.pending) == (3, 3)
    assert math.isclose(found.timed_s, 3 * first.budget.runtime_s)
    assert math.isclose(found.longest_s - found.timed_s, 3 * first.limits.warmup_s)
    assert found.memory_gib == first.limits.memory_gib


def test_trials_counted_in_steps_have_steps_and_no_time(tmp_path: Path) -> None:
    (counted,) = plan(PlanRequest("rosenbrock", "adamw", suite="landscapes", trials=1)).trials
    found = estimate((*PLANNED, counted), tmp_path)
    assert found.steps == counted.budget.steps
    assert math.isclose(found.timed_s, 3 * PLANNED[0].budget.runtime_s)


def test_finished_trials_take_nothing(tmp_path: Path) -> None:
    finish(tmp_path, 0)
    found = estimate(PLANNED, tmp_path)
    assert found.pending == 2
    assert math.isclose(found.timed_s, 2 * PLANNED[1].budget.runtime_s)


def test_a_run_that_is_done_costs_nothing(tmp_path: Path) -> None:
    for number in range(3):
        finish(tmp_path, number)
    found = estimate(PLANNED, tmp_path)
    assert (found.timed_s, found.memory_gib, found.disk_bytes) == (0.0, 0.0, 0)
    assert found.price(rate=2.0) == 0.0


def test_the_price_is_of_hours(tmp_path: Path) -> None:
    found = estimate(PLANNED, tmp_path)
    assert math.isclose(found.price(rate=7.2), found.longest_s * 0.002)


def test_disk_holds_a_checkpoint_beside_the_cache(tmp_path: Path) -> None:
    # the largest state that a worker may hand over is 64 MiB for a model as small as mlp's
    assert estimate(PLANNED, tmp_path).disk_bytes >= LIMIT_BYTES + 64 * 2**20


def test_an_empty_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no trial is planned"):
        estimate((), tmp_path)
