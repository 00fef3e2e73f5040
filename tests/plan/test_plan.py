"""Plans: the same request gives the same trials, prefixes stay, bad requests are named."""

from __future__ import annotations

from dataclasses import replace
from importlib import util
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from harness.core.canonical import sha256_json
from harness.core.errors import HarnessError, UnknownNameError
from harness.plan import plan as plan_module
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import LATER_FIELDS, Result, TrialRecord
from harness.providers import registry
from harness.providers.registry import suite, workload
from harness.record.plan import record_of, unfinished_trials, write_plan
from harness.record.store import write_record
from harness.submission.resolution import resolve
from tests.kit import SPACE, write_submission

REQUEST = PlanRequest(workload="mlp", submission="adamw")


def test_the_default_is_the_quick_suite_under_its_external_ruleset() -> None:
    outcome, rules = plan(REQUEST), suite("quick").rulesets["external"]
    size = workload("mlp").at("quick")
    assert len(outcome.trials) == rules.studies * rules.trials
    assert {trial.budget.runtime_s for trial in outcome.trials} == {size.budget.runtime_s}
    assert outcome.worst_case_s == outcome.timed_s + len(outcome.trials) * size.limits.warmup_s
    assert not outcome.remarks


REFUSED = """
[refused]
"quick/lm" = "a step takes 12 s of a budget of 33 s"
"""


def test_a_refused_workload_is_named_with_its_reason(tmp_path: Path) -> None:
    folder = write_submission(tmp_path, declared=SPACE + REFUSED)
    request = replace(REQUEST, submission=str(folder))
    assert plan(request).trials
    for scale in (1.0, 0.02):
        with pytest.raises(HarnessError, match="refused on lm of suite quick: a step takes 12 s"):
            plan(replace(request, workload="lm", budget_scale=scale))
    assert plan(replace(request, workload="lm", budget_scale=3.0)).trials


def test_the_same_request_gives_the_same_trials() -> None:
    identities = [[trial.identity for trial in plan(REQUEST).trials] for _ in range(2)]
    assert identities[0] == identities[1]
    assert len(set(identities[0])) == len(identities[0])


def test_the_number_of_devices_belongs_to_a_trials_identity() -> None:
    one, two = (plan(replace(REQUEST, devices=count)).trials[0] for count in (1, 2))
    assert one.identity != two.identity
    assert (one.point, one.instance_seed) == (two.point, two.instance_seed)


def test_the_identity_of_a_trial_on_one_device_is_what_it_was() -> None:
    (trial, *_) = plan(REQUEST).trials
    without = trial.model_dump(mode="json", exclude=set(LATER_FIELDS))
    assert trial.identity == sha256_json(without)


def test_fewer_trials_are_a_prefix_and_said_to_be_incomplete() -> None:
    outcome = plan(replace(REQUEST, studies=1, trials=2))
    assert outcome.trials == plan(REQUEST).trials[:2]
    assert "incomplete" in outcome.remarks[0]


def test_entries_meet_the_same_instances() -> None:
    seeds = [
        [trial.instance_seed for trial in plan(replace(REQUEST, submission=name)).trials]
        for name in ("adamw", "muon")
    ]
    assert seeds[0] == seeds[1]
    other = plan(replace(REQUEST, round_seed="7"))
    assert seeds[0] != [trial.instance_seed for trial in other.trials]


def test_self_tuning_has_the_default_point_and_half_as_much_time_again() -> None:
    (trial,) = plan(replace(REQUEST, ruleset="self")).trials
    factor = suite("quick").rulesets["self"].budget_factor
    assert trial.budget.runtime_s == workload("mlp").at("quick").budget.runtime_s * factor
    assert trial.point == resolve("adamw").space.default


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"suite": "large"}, "no convergence band is calibrated for mlp in suite large"),
        ({"variant": "wide"}, "no convergence band is calibrated for variants in suite quick"),
    ],
)
def test_where_nothing_is_held_for_being_too_good_a_plan_says_so(
    change: dict[str, Any], words: str
) -> None:
    assert plan(replace(REQUEST, **change)).remarks[-1].startswith(words)


def test_a_scaled_budget_is_marked_unscored() -> None:
    outcome = plan(replace(REQUEST, budget_scale=0.01))
    assert not any(trial.is_scored for trial in outcome.trials)
    assert "unscored" in outcome.remarks[0]


def test_a_submission_of_one_framework_is_not_planned_in_the_other(tmp_path: Path) -> None:
    mine = write_submission(tmp_path / "mine")
    with pytest.raises(HarnessError, match="has no jax version"):
        plan(replace(REQUEST, submission=str(mine), framework="jax"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"workload": "mpl"}, "did you mean 'mlp'"),
        ({"suite": "quik"}, "did you mean 'quick'"),
        ({"variant": "wied"}, "did you mean 'wide'"),
        ({"submission": "munon"}, "did you mean 'muon'"),
        ({"studies": 0}, "--studies 0"),
        ({"trials": -1}, "--trials -1"),
        ({"budget_scale": 0.0}, "--budget-scale 0"),
        ({"ruleset": "self", "trials": 3}, "ruleset self"),
    ],
)
def test_a_bad_request_says_what_is_known(change: dict[str, Any], words: str) -> None:
    with pytest.raises(HarnessError, match=words):
        plan(replace(REQUEST, **change))


def test_a_missing_framework_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_jax(name: str) -> ModuleSpec | None:
        return None if name == "jax" else util.find_spec(name)

    monkeypatch.setattr(plan_module, "find_spec", without_jax)
    with pytest.raises(HarnessError, match=r"guided-descent\[jax\]"):
        plan(replace(REQUEST, framework="jax"))


def test_a_workload_outside_the_suite_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    without = suite("quick").model_copy(update={"workloads": ("other",)})
    monkeypatch.setattr(registry, "suite", lambda _: without)
    with pytest.raises(UnknownNameError, match="workload of suite quick"):
        plan(REQUEST)


def test_the_plan_is_written_once_and_never_over_a_result(tmp_path: Path) -> None:
    trials = plan(REQUEST).trials
    write_plan(trials, tmp_path)
    assert unfinished_trials(trials, tmp_path) == trials
    result = Result(state="budget", reason="spent", timed_s=1.0, steps=3)
    record = TrialRecord(identity=trials[0].identity, trial=trials[0], result=result)
    write_record(tmp_path / trials[0].folder, record)
    write_plan(trials, tmp_path)
    assert record_of(trials[0], tmp_path) == record
    assert unfinished_trials(trials, tmp_path) == trials[1:]
