"""The whole procedure of a calibration, on very short real trials."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest

from harness.calibration.forecast import calibration_trials
from harness.calibration.procedure import Calibration, Effort
from harness.calibration.summary import (
    Check,
    Summary,
    budget_of,
    read_summary,
    write_summary,
)
from harness.calibration.target import Rule, noise_of, target_of
from harness.calibration.trials import TrialFactory, points_of
from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.plan.plan import PlanRequest
from harness.providers.registry import workload
from harness.record.store import read_record, record_paths
from harness.submission.resolution import resolve

# Its instances are small: those of `mlp` take ten seconds each to make, and here there are eleven.
REQUEST = PlanRequest(workload="representation", submission="adamw", suite="landscapes")
SIZE = workload(REQUEST.workload).at(REQUEST.suite)
EFFORT = Effort(
    horizon_steps=100,
    points=2,
    seeds=2,
    studies=1,
    baselines=("adamw",),
    reference_s=2.0,
    rule=Rule(max_variation=1.0),
)


def calibrate(folder: Path, cache: Path) -> tuple[Summary, list[str]]:
    lines: list[str] = []
    options = RunOptions(cache_dir=cache, threads=1)
    return Calibration(REQUEST, EFFORT, folder, options, 1, lines.append).run(), lines


@pytest.fixture(scope="module")
def outcome(
    tmp_path_factory: pytest.TempPathFactory, data_cache: Path
) -> tuple[Path, Path, Summary, list[str]]:
    store = tmp_path_factory.mktemp("store")
    return store, data_cache, *calibrate(store, data_cache)


def calibration(outcome: tuple[Path, Path, Summary, list[str]]) -> Calibration:
    """The same calibration again, in the same store."""
    store, cache, *_ = outcome
    options = RunOptions(cache_dir=cache, threads=1)
    return Calibration(REQUEST, EFFORT, store, options, 1, print)


def test_what_it_takes_is_known_before_anything_runs(
    outcome: tuple[Path, Path, Summary, list[str]], tmp_path: Path
) -> None:
    calibration_before = Calibration(REQUEST, EFFORT, tmp_path, RunOptions(threads=1), 1, print)
    expected = calibration_trials(calibration_before)
    ran = [read_record(path).trial for path in record_paths(outcome[0])]
    lengths = [sorted((t.study, t.budget.steps or 0) for t in trials) for trials in (expected, ran)]
    assert lengths[0] == lengths[1]
    assert not any(tmp_path.iterdir())


def test_target_and_budget_follow_from_the_summary(
    outcome: tuple[Path, Path, Summary, list[str]], tmp_path: Path
) -> None:
    summary = outcome[2]
    (baseline,) = summary.baselines
    assert summary.target == target_of(
        baseline.curves, summary.study_bests, "loss", "minimize", EFFORT.rule
    )
    reached = SIZE.target.model_copy(update={"value": summary.target.value})
    assert baseline.at_target == noise_of(baseline.curves, reached) == summary.target
    assert baseline.speed is not None
    assert summary.budget_s == budget_of(100, summary.reference)
    write_summary(tmp_path / "a" / "summary.json", summary)
    assert read_summary(tmp_path / "a" / "summary.json") == summary


def test_points_are_halved_and_the_best_is_rerun(
    outcome: tuple[Path, Path, Summary, list[str]],
) -> None:
    (baseline,) = outcome[2].baselines
    assert [tried.rung_steps for tried in baseline.tried] == [25, 25, 50, 100]
    assert baseline.best_point == baseline.tried[-1].point
    assert len(baseline.curves) == 2
    assert len({curve.instance_seed for curve in baseline.curves}) == 2
    for curve in baseline.curves:
        assert curve.steps[-1] == 100
        assert all(a < b <= 1.1 * a + 1 for a, b in pairwise(curve.steps))


def test_a_repetition_runs_nothing(outcome: tuple[Path, Path, Summary, list[str]]) -> None:
    store, cache, summary, lines = outcome
    assert len(record_paths(store)) == sum(line.startswith("  ") for line in lines) == 15
    again, repeated = calibrate(store, cache)
    assert again == summary
    assert not any(line.startswith("  ") for line in repeated)


def test_a_baseline_added_later_is_evaluated_at_the_declared_target(
    outcome: tuple[Path, Path, Summary, list[str]],
) -> None:
    summary = outcome[2]
    (added,) = calibration(outcome).at_declared_target()
    target = SIZE.target
    assert added.at_target == noise_of(added.curves, target)
    assert added.curves == summary.baselines[0].curves
    assert set(added.times_s(target)) == {math.inf}  # a hundred steps do not get there
    assert summary.with_baselines([added]).baselines == (added,)


def test_what_is_known_already_is_timed_anew(
    outcome: tuple[Path, Path, Summary, list[str]],
) -> None:
    summary = outcome[2]
    changes = {"submission": "sgd", "best_point": resolve("sgd").space.default, "speed": None}
    previous = summary.baselines[0].model_copy(update=changes)
    again, _ = calibration(outcome).at_declared_target([previous])
    assert again.speed is not None
    assert again.curves == previous.curves


def test_a_rerun_sets_the_target_from_new_seeds_of_the_tuned_point(
    outcome: tuple[Path, Path, Summary, list[str]],
) -> None:
    summary = outcome[2]
    again = calibration(outcome).rerun(summary)
    assert again.model_copy(update={"checks": summary.checks}) == summary
    (baseline,) = summary.baselines
    forgotten = summary.model_copy(
        update={
            "baselines": (baseline.model_copy(update={"curves": (), "at_target": None}),),
            "target": summary.target.model_copy(update={"value": 0.0}),
        }
    )
    assert calibration(outcome).rerun(forgotten) == again


def test_a_rerun_leaves_the_other_baselines_as_they_were(
    outcome: tuple[Path, Path, Summary, list[str]],
) -> None:
    summary = outcome[2]
    other = summary.baselines[0].model_copy(
        update={"submission": "sgd", "best_point": {"learning_rate": 7.0}}
    )
    again = calibration(outcome).rerun(summary.with_baselines([other]))
    assert again.baselines == (summary.baselines[0], other)


def test_a_check_takes_the_place_of_its_frameworks_last(
    outcome: tuple[Path, Path, Summary, list[str]],
) -> None:
    first = Check(
        submission="adamw", framework="torch", studies=1, trials_a_study=3, reached=0, times_s=()
    )
    again, other = (first.model_copy(update=u) for u in ({"reached": 1}, {"framework": "jax"}))
    summary = outcome[2].with_check(first).with_check(other).with_check(again)
    assert summary.checks == (other, again)


def test_a_trial_in_steps_has_the_schedule_of_the_whole_budget() -> None:
    factory = TrialFactory(REQUEST, SIZE)
    adamw = resolve("adamw")
    (point,) = points_of(adamw, REQUEST, 1)
    (trial,) = factory.rung(adamw, [(1, point)], rung=1, steps=30)
    assert (point["horizon"], trial.point["horizon"]) == (0.75, 1.0)
    assert (trial.budget.steps, trial.stop_rule) == (30, "budget")
    assert not trial.is_scored


def test_a_baseline_without_a_horizon_is_refused() -> None:
    with pytest.raises(HarnessError, match="no hyperparameter 'horizon'"):
        points_of(resolve("torch.optim:Adagrad"), REQUEST, 1)
