"""Checks that planned trials follow from their round seed, search space and workload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.core.errors import HarnessError
from harness.core.seeds import PUBLIC_ROUND_SEED, commitment, instance_seed
from harness.plan.points import draw_points, study_seed
from harness.plan.trial import Trial
from harness.plan.variants import budget_factor_of, drawn_variant, goal_of
from harness.providers import registry
from harness.providers.table import FRAMEWORKS
from harness.submission.resolution import resolve
from workloads.drawing import NAME
from workloads.spec import SuiteWorkload


def mismatches(trials: Iterable[Trial], round_seed: str | None) -> Iterator[tuple[Trial, str]]:
    """The trials that do not follow from their seed, space and workload, each with the reason.

    Instance seeds are recomputed if the round seed is known: the public one, and `round_seed`. If
    `round_seed` is given, every trial must belong to its round. Points are redrawn, and declared
    numbers compared, if the submission or workload on this machine is unchanged.
    """
    for trial in trials:
        if what := _mismatch(trial, round_seed):
            yield trial, what


def _mismatch(trial: Trial, round_seed: str | None) -> str:
    if round_seed is not None and trial.round_commitment != commitment(round_seed):
        return f"of the round {trial.round_commitment[:12] or 'unknown'}, not of this one"
    seed = known_seed(trial, round_seed)
    return (_seed_mismatch(trial, seed) if seed is not None else "") or _declared_mismatch(trial)


def unknown_suites(trials: Iterable[Trial]) -> list[str]:
    """The suites of scored trials that are not known here, whose budgets are thus not checked.

    A suite that was given as a file is known only to the command to which it was given.
    """
    workloads, suites = registry.workload_names(), registry.suite_names()
    return sorted(
        {t.suite for t in trials if t.is_scored and t.workload in workloads} - set(suites)
    )


def known_seed(trial: Trial, round_seed: str | None) -> str | None:
    """The round seed that belongs to a trial's commitment, if it is known."""
    seeds = [PUBLIC_ROUND_SEED, *([round_seed] if round_seed is not None else [])]
    return next((s for s in seeds if commitment(s) == trial.round_commitment), None)


def _seed_mismatch(trial: Trial, seed: str) -> str:
    place = trial.suite, trial.workload, trial.study, trial.trial
    if instance_seed(seed, *place) != trial.instance_seed:
        return "the instance seed does not follow from the round's"
    if what := _architecture_mismatch(trial, seed):
        return what
    if not trial.is_scored or (point := _drawn_point(trial, seed)) is None:
        return ""
    return "" if point == trial.point else "the point is not the one that the round draws"


def _architecture_mismatch(trial: Trial, seed: str) -> str:
    """Whether a drawn architecture differs from the round's, if it can be redrawn."""
    if NAME.fullmatch(trial.variant) is None or trial.workload not in registry.workload_names():
        return ""
    if registry.workload(trial.workload).content_hash(trial.suite) != trial.workload_hash:
        return ""
    expected = drawn_variant(seed, trial.suite, trial.workload)
    return "" if expected == trial.variant else f"its architecture is not the round's, {expected}"


def _drawn_point(trial: Trial, seed: str) -> dict[str, object] | None:
    """The point that the plan should have drawn; None if the submission is no longer available, or
    its space was changed for the trial.
    """
    if trial.submission.space:
        return None
    ref = trial.submission
    try:
        submission = resolve(ref.name if ref.is_shipped else ref.location)
    except HarnessError:
        return None
    if submission.ref.content_hash != trial.submission.content_hash:
        return None
    if trial.ruleset == "self":
        return dict(submission.space.default)
    points_seed = study_seed(seed, trial.suite, trial.workload, trial.study)
    return dict(draw_points(submission.space, points_seed, trial.trial)[trial.trial - 1])


def _declared_mismatch(trial: Trial) -> str:
    """The name of a number in a scored trial that differs from the workload's declaration."""
    if not trial.is_scored or trial.workload not in registry.workload_names():
        return ""
    workload = registry.workload(trial.workload)
    is_changed = workload.content_hash(trial.suite) != trial.workload_hash
    if is_changed or trial.framework not in FRAMEWORKS.names:
        return ""
    size = workload.at(trial.suite)
    if trial.target != goal_of(size, trial.variant).target:
        return "'target' is not the workload's own"
    for name in ("grid", "limits", "precision"):
        if getattr(trial, name) != getattr(size, name):
            return f"'{name}' is not the workload's own"
    return _budget_mismatch(trial, size) if trial.suite in registry.suite_names() else ""


def _budget_mismatch(trial: Trial, size: SuiteWorkload) -> str:
    factor = registry.suite(trial.suite).rulesets[trial.ruleset].budget_factor
    factor *= budget_factor_of(trial.suite, trial.workload, trial.variant)
    runtime_s, speed = size.budget.runtime_s * factor, trial.budget.speed
    if trial.budget.runtime_s != (speed.budget_s(runtime_s) if speed else runtime_s):
        return "the budget is not the suite's own"
    return ""
