"""Variants in a plan: what is drawn, what it has to reach, and what another width costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.core.errors import HarnessError
from harness.plan.plan import PlanRequest, plan
from harness.plan.redraw import mismatches
from harness.plan.trial import Trial
from harness.plan.variants import BASELINE, drawn_variant
from harness.providers.registry import workload
from workloads.drawing import NAME
from workloads.targets import BaselineTarget, Target

REQUEST = PlanRequest(workload="mlp", submission="adamw", variant="drawn", round_seed="secret")
QUICK = workload("mlp").at("quick")


def drawn_trial(**changes: object) -> Trial:
    return plan(REQUEST).trials[0].model_copy(update=changes)


def test_every_entry_of_a_round_meets_the_same_architecture() -> None:
    plans = [plan(replace(REQUEST, submission=name)).trials for name in ("adamw", "muon")]
    (variant,) = {trial.variant for trials in plans for trial in trials}
    assert variant == drawn_variant("secret", "quick", "mlp")
    assert NAME.fullmatch(variant)


def test_rounds_suites_and_workloads_draw_apart() -> None:
    places = [("a", "quick", "mlp"), ("b", "quick", "mlp"), ("a", "standard", "mlp"),
              ("a", "quick", "lm")]  # fmt: skip
    assert len({drawn_variant(*place) for place in places}) == len(places)


def test_a_workload_without_a_grammar_draws_one_of_its_variants() -> None:
    variants = set(workload("rosenbrock").at("landscapes").variants)
    drawn = {drawn_variant(str(seed), "landscapes", "rosenbrock") for seed in range(60)}
    assert drawn == variants


def test_a_drawn_trial_trains_for_its_budget_towards_what_the_baseline_reaches() -> None:
    trial = drawn_trial()
    assert trial.stop_rule == "budget"
    assert trial.target == BaselineTarget(
        metric="accuracy", direction="maximize", baseline=BASELINE, fraction=0.6
    )
    assert Trial.model_validate_json(trial.model_dump_json()) == trial


def test_the_base_and_its_fixed_variants_keep_the_calibrated_target() -> None:
    for variant in ("base", "wide"):
        (trial, *_) = plan(replace(REQUEST, variant=variant)).trials
        assert (trial.target, trial.stop_rule) == (QUICK.target, "target")


def test_another_architecture_than_the_rounds_is_a_mismatch() -> None:
    assert list(mismatches([drawn_trial()], "secret")) == []
    ((_, what),) = mismatches([drawn_trial(variant="drawn-0123456789abcdef")], "secret")
    assert "architecture is not the round's" in what


def test_a_target_that_is_made_up_is_a_mismatch() -> None:
    easy = Target(metric="accuracy", direction="maximize", value=0.2)
    ((_, what),) = mismatches([drawn_trial(target=easy)], "secret")
    assert "target" in what


def test_another_width_has_the_budget_of_as_many_steps() -> None:
    """512 wide there are 398,336 multiplications an example, 256 wide 133,632."""
    (trial, *_) = plan(replace(REQUEST, variant="width-512")).trials
    assert trial.budget.runtime_s == pytest.approx(QUICK.budget.runtime_s * 2.98)
    assert isinstance(trial.target, BaselineTarget)
    assert list(mismatches([trial], "secret")) == []


def test_a_width_that_is_not_declared_is_refused() -> None:
    with pytest.raises(HarnessError, match=r"(?s)width-300.*width-256"):
        plan(replace(REQUEST, variant="width-300"))
