"""The convergence band: what the committed calibrations say, and what lies beyond it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.calibration.band import _span, band_of
from harness.calibration.summary import read_summary, summary_path
from harness.plan.plan import PlanRequest, RulesetName, plan
from harness.plan.trial import Result
from harness.providers.registry import band, workload
from harness.record.rows import _beyond
from workloads.band import Band, Span

QUICK = ["mlp", "resnet", "lm", "rnn"]


def span(edge: float, median: float) -> Span:
    return Span(baseline="muon", seeds=4, fastest=median, median=median, slowest=median, edge=edge)


MADE = Band(target=0.6, budget_s=10.0, steps=span(100.0, 150.0), seconds=span(2.0, 4.0))


@pytest.mark.parametrize("name", QUICK)
def test_the_committed_band_follows_from_the_committed_curves(name: str) -> None:
    summary = read_summary(summary_path(workload(name).folder, "quick"))
    assert summary.band is not None
    assert summary.band == band_of(summary)
    assert summary.band.target == workload(name).at("quick").target.value


@pytest.mark.parametrize("name", QUICK)
def test_no_baseline_that_set_a_band_lies_beyond_it(name: str) -> None:
    result = band(name, "quick")
    assert result is not None
    for each in (result.steps, result.seconds):
        assert each.edge < each.fastest <= each.median <= each.slowest


def test_a_workload_that_is_not_calibrated_has_no_band() -> None:
    assert band("mlp", "large") is None


def test_one_more_trial_of_the_best_baseline_is_beyond_as_rarely_as_stated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.calibration.band.COVERAGE", 0.9)
    random, trials = np.random.default_rng(0), 3000
    logs = random.normal(3.0, 0.1, (trials, 10))
    beyond = sum(
        math.exp(line[0]) < _span({"a": np.exp(line[1:5]), "b": np.exp(line[5:] + 1.0)}).edge
        for line in logs
    )
    assert beyond / trials == pytest.approx(0.1, abs=0.022)  # four standard errors


def test_seconds_count_as_parts_of_the_budget() -> None:
    assert MADE.excess(1.9, 500, budget_s=10.0).startswith("1.9 s, where")
    assert not MADE.excess(2.1, 500, budget_s=10.0)
    assert MADE.excess(3.9, 500, budget_s=20.0)


def test_few_steps_alone_are_not_beyond() -> None:
    assert not MADE.excess(4.1, 3, budget_s=10.0)
    assert MADE.excess(3.9, 99, budget_s=10.0).startswith("99 steps, where")
    assert not MADE.excess(3.9, math.nan, budget_s=10.0)


@pytest.mark.parametrize("ruleset", ["external", "self"])
def test_a_ruleset_with_a_longer_budget_has_the_same_band(ruleset: RulesetName) -> None:
    trial = plan(PlanRequest("mlp", "adamw", ruleset=ruleset)).trials[0]
    calibrated = band("mlp", "quick")
    assert calibrated is not None
    edge_s = calibrated.seconds.edge * workload("mlp").at("quick").budget.runtime_s
    edge_s /= calibrated.budget_s
    for fraction, is_beyond in ((0.99, True), (1.01, False)):
        result = Result(
            state="reached", reason="", timed_s=9.0, steps=9,
            time_to_target_s=fraction * edge_s, steps_to_target=10**6,
        )  # fmt: skip
        assert bool(_beyond(trial, result)) == is_beyond
