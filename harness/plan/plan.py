"""The plan: from names, a ruleset and a round seed to frozen trials."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Literal

from harness.core.errors import HarnessError, UnknownNameError
from harness.core.seeds import PUBLIC_ROUND_SEED, commitment, instance_seed
from harness.plan.points import Point, draw_points, study_seed
from harness.plan.trial import MachineSpeed, Trial, TrialBudget
from harness.plan.variants import DRAWN, budget_factor_of, drawn_variant, goal_of
from harness.providers import registry
from harness.providers.table import DEFAULT_FRAMEWORK, FRAMEWORKS
from harness.submission.adjustment import adjust
from harness.submission.algoperf.location import is_algoperf
from harness.submission.algoperf.workload import has_rate, refuse_unused
from harness.submission.reference import Framework, Scalar
from harness.submission.resolution import ResolvedSubmission, resolve
from harness.submission.space import Space
from workloads.spec import Ruleset, SuiteWorkload

RulesetName = Literal["external", "self"]
RULESETS: tuple[RulesetName, ...] = ("external", "self")


@dataclass(frozen=True)
class PlanRequest:
    """A request for trials; None means the suite's value."""

    workload: str
    submission: str
    suite: str = "quick"
    framework: Framework = DEFAULT_FRAMEWORK
    ruleset: RulesetName = "external"
    round_seed: str = PUBLIC_ROUND_SEED
    variant: str = "base"
    device: str = "cpu"
    devices: int = 1
    """How many devices train one model together."""
    studies: int | None = None
    trials: int | None = None
    budget_scale: float = 1.0
    space: Space | None = None
    """Replaces the submission's own search space."""
    settings: Mapping[str, Scalar] = field(default_factory=dict)
    """Hyperparameters that are fixed instead of searched."""
    speed: MachineSpeed | None = None
    """The machine's speed, which scales the budgets; None for the reference machine's budgets."""


@dataclass(frozen=True)
class Plan:
    """Trials in the order in which they run, and remarks on why their result may not count."""

    trials: tuple[Trial, ...]
    remarks: tuple[str, ...] = ()

    @property
    def timed_s(self) -> float:
        """Seconds of training on the clock if no trial reaches its target."""
        return sum(trial.budget.runtime_s for trial in self.trials)

    @property
    def worst_case_s(self) -> float:
        """Seconds of training and warm-up if every trial uses all it may; evaluation is extra."""
        return self.timed_s + sum(trial.limits.warmup_s for trial in self.trials)


def plan(request: PlanRequest) -> Plan:
    """Turn a request into trials. The same request gives the same trials in every process.

    Raises:
        UnknownNameError: a name is unknown.
        HarnessError: the submission, the ruleset or a number does not permit the request.
    """
    request = with_drawn_variant(request)
    size = workload_at(request)
    submission = adjust(resolve(request.submission), request.space, request.settings)
    submission.require(request.framework)
    if request.budget_scale <= 1.0:
        submission.require_allowed(request.suite, request.workload)
    _require_installed(request.framework)
    rules = registry.suite(request.suite).rulesets[request.ruleset]
    counts = _counts(rules, request)
    studies = range(1, counts.studies + 1)
    trials = tuple(t for s in studies for t in _study(request, size, submission, counts, s))
    if is_algoperf(submission.ref.location):
        loss, has_dropout = registry.workload(request.workload).spec.loss, has_rate(size.sizes)
        for trial in trials:
            refuse_unused(trial.point, loss, has_dropout=has_dropout)
    return Plan(trials, tuple(_remarks(rules, counts, request)))


def with_drawn_variant(request: PlanRequest) -> PlanRequest:
    """The request with variant `drawn` replaced by the architecture drawn for the round."""
    if request.variant != DRAWN:
        return request
    variant = drawn_variant(request.round_seed, request.suite, request.workload)
    return replace(request, variant=variant)


def workload_at(request: PlanRequest) -> SuiteWorkload:
    """The request's workload at its suite's size.

    Raises:
        UnknownNameError: the suite, the workload in it or the variant is not known.
    """
    suite = registry.suite(request.suite)
    registry.require_workloads([request.workload], suite.name)
    if request.workload not in suite.workloads:
        raise UnknownNameError(f"workload of suite {suite.name}", request.workload, suite.workloads)
    size = registry.workload(request.workload).at(suite.name)
    if request.variant != DRAWN:
        registry.workload(request.workload).sizes(suite.name, request.variant)
    return size


def _require_installed(framework: Framework) -> None:
    if framework in FRAMEWORKS.shipped_values and find_spec(framework) is None:
        raise HarnessError(
            f"{framework} is not installed",
            f"install it with: pip install 'guided-descent[{framework}]'",
        )


def _counts(rules: Ruleset, request: PlanRequest) -> Ruleset:
    if request.ruleset == "self" and request.trials not in (None, 1):
        raise HarnessError(
            f"--trials {request.trials} cannot be combined with --ruleset self",
            "a self-tuning submission has one trial per study; raise --studies instead",
        )
    if not (request.budget_scale > 0.0 and math.isfinite(request.budget_scale)):
        raise HarnessError(
            f"--budget-scale {request.budget_scale} must be above 0 and finite",
            "for example: --budget-scale 0.1 for a first look, which is not scored",
        )
    changes = {"studies": request.studies, "trials": request.trials}
    for name, count in changes.items():
        if count is not None and count < 1:
            raise HarnessError(f"--{name} {count} must be at least 1")
    return rules.model_copy(update={k: v for k, v in changes.items() if v is not None})


def _study(
    request: PlanRequest,
    size: SuiteWorkload,
    submission: ResolvedSubmission,
    rules: Ruleset,
    study: int,
) -> Iterator[Trial]:
    for number, point in enumerate(_points(request, submission, rules, study), start=1):
        yield trial_of(
            request, size, submission, point, (study, number), budget_factor=rules.budget_factor
        )


def _points(
    request: PlanRequest, submission: ResolvedSubmission, rules: Ruleset, study: int
) -> tuple[Point, ...]:
    if request.ruleset == "self":
        return (dict(submission.space.default),)
    seed = study_seed(request.round_seed, request.suite, request.workload, study)
    return draw_points(submission.space, seed, rules.trials)


def trial_of(
    request: PlanRequest,
    size: SuiteWorkload,
    submission: ResolvedSubmission,
    point: Point,
    place: tuple[int, int],
    *,
    budget_factor: float = 1.0,
) -> Trial:
    """One trial at one point.

    Args:
        request: suite, workload, framework, ruleset, seed, variant, devices and budget scale.
        size: the workload at the suite's size.
        submission: the submission to run; the trial holds its name, location and hash.
        point: a value for each hyperparameter.
        place: the numbers of study and trial, from 1.
        budget_factor: the ruleset's factor on the workload's budget.
    """
    study, number = place
    goal = goal_of(size, request.variant)
    budget_factor *= budget_factor_of(request.suite, request.workload, request.variant)
    return Trial(
        suite=request.suite,
        workload=request.workload,
        workload_hash=registry.workload(request.workload).content_hash(request.suite),
        variant=request.variant,
        framework=request.framework,
        submission=submission.ref,
        ruleset=request.ruleset,
        study=study,
        trial=number,
        instance_seed=instance_seed(
            request.round_seed, request.suite, request.workload, study, number
        ),
        round_commitment=commitment(request.round_seed),
        point=point,
        budget=_budget(request, size, budget_factor * request.budget_scale),
        stop_rule=goal.stop_rule,
        target=goal.target,
        grid=size.grid,
        limits=size.limits,
        precision=size.precision,
        device=request.device,
        devices=request.devices,
    )


def _budget(request: PlanRequest, size: SuiteWorkload, factor: float) -> TrialBudget:
    """A trial's budget: the workload's, multiplied by a factor."""
    base, speed = size.budget, request.speed
    runtime_s = base.runtime_s * factor
    return TrialBudget(
        runtime_s=runtime_s if speed is None else speed.budget_s(runtime_s),
        steps=None if base.steps is None else max(1, round(base.steps * factor)),
        scale=request.budget_scale,
        speed=speed,
    )


def _remarks(rules: Ruleset, counts: Ruleset, request: PlanRequest) -> Iterator[str]:
    if request.budget_scale != 1.0:
        yield f"unscored: every budget is scaled by {request.budget_scale:g}"
    if (counts.studies, counts.trials) != (rules.studies, rules.trials):
        yield (
            f"incomplete: {counts.studies} x {counts.trials} trials are planned; ruleset "
            f"{request.ruleset} of suite {request.suite} counts {rules.studies} x {rules.trials}"
        )
    size = workload_at(request)
    if size.budget.steps is not None:
        yield f"unscored: suite {request.suite} counts steps, not seconds"
    elif request.budget_scale == 1.0 and not _has_band(request):
        what = request.workload if request.variant == "base" else "variants"
        yield (
            f"no convergence band is calibrated for {what} in suite {request.suite}: "
            "no time is held for being too good"
        )


def _has_band(request: PlanRequest) -> bool:
    is_base = request.variant == "base"
    return is_base and registry.band(request.workload, request.suite) is not None
