"""The rule for targets, and that every committed target follows from its committed summary."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.calibration.summary import Summary, budget_of, read_summary
from harness.calibration.target import Curve, Rule, noise_of, steps_to, target_of
from harness.core.errors import HarnessError
from harness.providers.registry import submission_folders, workload
from harness.providers.table import WORKLOADS_ROOT
from harness.submission.resolution import resolve
from tests.frameworks.kit import Kit
from workloads.spec import ReferenceSpeed, Target

SUMMARIES = sorted(WORKLOADS_ROOT.glob("*/calibration/*.json"))


def rising(delay: int = 0, top: float = 0.6) -> Curve:
    """A curve that rises to `top` at step 1000, `delay` steps late."""
    steps = tuple(range(20, 1001, 20))
    values = tuple(round(top * max(0, s - delay) / (1000 - delay), 6) for s in steps)
    return Curve(instance_seed="0", steps=steps, values=values)


def test_the_target_is_the_best_value_that_nine_of_ten_reach() -> None:
    curves = [rising(top=0.60 + 0.001 * n) for n in range(10)]
    outcome = target_of(curves, [], "accuracy", "maximize")
    assert outcome.value == 0.601
    assert (outcome.reached, outcome.seeds) == (9, 10)


def test_what_two_of_ten_studies_miss_may_be_the_target_and_what_three_miss_may_not() -> None:
    curves = [rising(top=0.7)] * 10
    two, three = [0.55, None] + [0.65] * 8, [0.55, None, 0.6] + [0.65] * 7
    assert target_of(curves, two, "accuracy", "maximize").value == 0.65
    assert target_of(curves, three, "accuracy", "maximize").value == 0.6


def test_uneven_times_lower_the_target() -> None:
    plateau = [Curve(instance_seed="0", steps=(100, 900), values=(0.5, 0.6)) for _ in range(10)]
    late = [Curve(instance_seed="0", steps=(500, 900), values=(0.4, 0.6)) for _ in range(10)]
    target = Target(metric="accuracy", direction="maximize", value=0.6)
    assert noise_of([*plateau, *late], target).variation == 0.0
    early = [Curve(instance_seed="0", steps=(100, 900), values=(0.6, 0.6)) for _ in range(10)]
    with pytest.raises(HarnessError, match="longer horizon"):
        target_of([*early, *late], [], "accuracy", "maximize")


def test_a_target_on_the_slope_is_met_by_its_fraction_of_the_horizon() -> None:
    curves = [rising(top=0.6)] * 10
    whole = target_of(curves, [], "accuracy", "maximize")
    half = target_of(curves, [], "accuracy", "maximize", Rule(latest_fraction=0.5))
    assert (whole.value, half.value) == (0.6, 0.3)
    assert half.median_steps == 500


def test_a_metric_to_minimise_is_turned_round() -> None:
    mirrored = [
        Curve(instance_seed="0", steps=c.steps, values=tuple(1.0 - (v or 0.0) for v in c.values))
        for c in (rising(top=0.60 + 0.001 * n) for n in range(10))
    ]
    assert target_of(mirrored, [], "loss", "minimize").value == pytest.approx(1.0 - 0.601)


def test_a_value_that_is_no_number_is_never_at_the_target() -> None:
    curve = Curve(instance_seed="0", steps=(10, 20, 30), values=(None, 0.4, 0.7))
    target = Target(metric="accuracy", direction="maximize", value=0.5)
    assert steps_to(curve, target) == 30
    beyond = target.model_copy(update={"value": 0.8})
    assert noise_of([curve], beyond).median_steps is None


@settings(max_examples=10)  # a target takes a tenth of a second
@given(st.lists(st.tuples(st.integers(0, 200), st.floats(0.3, 0.9)), min_size=3, max_size=20))
def test_any_target_fulfils_its_rule(shapes: list[tuple[int, float]]) -> None:
    curves, rule = [rising(delay, top) for delay, top in shapes], Rule()
    try:
        outcome = target_of(curves, [], "accuracy", "maximize", rule)
    except HarnessError:
        return
    target = Target(metric="accuracy", direction="maximize", value=outcome.value)
    assert noise_of(curves, target) == outcome
    assert outcome.reached >= rule.reached_fraction * len(curves) - 1e-9
    assert outcome.variation is not None
    assert outcome.variation <= rule.max_variation


@pytest.mark.parametrize("path", SUMMARIES, ids=lambda path: path.parts[-3])
def test_no_baseline_is_shown_to_reach_a_target_less_evenly_than_the_rule_allows(
    path: Path,
) -> None:
    """The first baseline keeps to the rule; of others, the lower 95 % limit of the variation."""
    summary = read_summary(path)
    target = Target(metric=summary.metric, direction=summary.direction, value=summary.target.value)
    for place, baseline in enumerate(summary.baselines):
        noise = noise_of(baseline.curves, target)
        if noise.variation is not None and noise.reached > 1:
            degrees = noise.reached - 1
            shrinkage = (degrees / stats.chi2.ppf(0.95, degrees)) ** 0.5 if place else 1.0
            assert shrinkage * noise.variation <= summary.rule.max_variation, baseline.submission


@pytest.mark.parametrize("path", SUMMARIES, ids=lambda path: path.parts[-3])
def test_every_best_point_makes_a_step_of_todays_submission(path: Path) -> None:
    for baseline in read_summary(path).baselines:
        assert set(baseline.best_point) <= set(resolve(baseline.submission).space.default)
        kit = Kit("torch")
        submission = kit.submission(
            submission_folders()[baseline.submission], **baseline.best_point
        )
        assert float(submission.step(kit.stream())) > 0.0, baseline.submission


def test_a_budget_is_the_horizon_over_three_quarters() -> None:
    for horizon_steps, startup_s, budget_s in (
        (3000, 0.0, 4.0),
        (3001, 0.0, 4.1),
        (3000, 0.3, 4.3),
    ):
        reference = ReferenceSpeed(step_s=1e-3, startup_s=startup_s)
        assert budget_of(horizon_steps, reference) == budget_s


def test_some_calibration_is_committed() -> None:
    assert SUMMARIES


@pytest.mark.parametrize("path", SUMMARIES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_committed_target_follows_from_its_summary(path: Path) -> None:
    summary: Summary = read_summary(path)
    first, *_ = summary.baselines
    outcome = target_of(
        first.curves, summary.study_bests, summary.metric, summary.direction, summary.rule
    )
    size = workload(summary.workload).at(summary.suite)
    assert (outcome, outcome.value) == (summary.target, size.target.value)
    assert summary.budget_s == budget_of(summary.horizon_steps, summary.reference)
    declared = size.budget.runtime_s, size.budget.horizon_steps, size.budget.reference
    assert declared == (summary.budget_s, summary.horizon_steps, summary.reference)
    for baseline in summary.baselines:
        assert baseline.at_target == noise_of(baseline.curves, size.target)
