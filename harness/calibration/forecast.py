"""The trials of a calibration before any of them has run, for an estimate of what it takes.

Which points reach the next rung, and which one is best, is known only when trials have ended. The
first points stand in for them: they take as many steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING

from harness.calibration.halving import Rung, halve
from harness.calibration.procedure import Calibration
from harness.calibration.timing import MOST_STEPS, TRIALS
from harness.calibration.trials import points_of
from harness.providers import registry
from harness.speed.reference_training import reference_trial
from harness.submission.resolution import resolve
from workloads.spec import HORIZON_FRACTION

if TYPE_CHECKING:
    from harness.calibration.summary import Baseline
    from harness.plan.points import Point
    from harness.plan.trial import Trial


def calibration_trials(calibration: Calibration) -> tuple[Trial, ...]:
    """The trials of `Calibration.run`."""
    names = calibration.effort.baselines
    parts = [
        *(_baseline_trials(calibration, name) for name in names),
        _whole_studies(calibration),
        _reference_trials(calibration),
    ]
    return tuple(chain.from_iterable(parts))


def added_trials(
    calibration: Calibration, earlier_baselines: Iterable[Baseline]
) -> tuple[Trial, ...]:
    """The trials of `Calibration.at_declared_target`."""
    names = calibration.effort.baselines
    fresh = [_baseline_trials(calibration, name) for name in names]
    retimed = [
        _timing_trials(calibration, one.submission, one.best_point)
        for one in earlier_baselines
        if one.submission not in names
    ]
    return tuple(chain.from_iterable([*fresh, *retimed]))


def timing_trials(calibration: Calibration, baselines: Iterable[Baseline]) -> tuple[Trial, ...]:
    """The trials of `Calibration.retime`."""
    parts = [_timing_trials(calibration, one.submission, one.best_point) for one in baselines]
    return tuple(chain(_reference_trials(calibration), *parts))


def seed_trials(calibration: Calibration, baselines: Iterable[Baseline]) -> tuple[Trial, ...]:
    """The trials of `Calibration.rerun`."""
    parts = [
        _seed_trials(calibration, one.submission, one.best_point)
        for one in baselines
        if one.submission in calibration.effort.baselines
    ]
    return tuple(chain.from_iterable(parts))


def _baseline_trials(calibration: Calibration, name: str) -> list[Trial]:
    """The trials that tune a baseline, rerun its best point and time it."""
    submission, effort, factory = resolve(name), calibration.effort, calibration.factory
    submission.require(calibration.request.framework)
    trials: list[Trial] = []

    def train(rung: Rung) -> list[None]:
        trials.extend(factory.rung(submission, rung.points, rung.number, rung.steps))
        return [None] * len(rung.points)

    points = points_of(submission, calibration.request, effort.points)
    best, _ = halve(points, effort.horizon_steps, factory.size.target.direction, train)
    seeds = _seed_trials(calibration, name, best)
    return [*trials, *seeds, *_timing_trials(calibration, name, best)]


def _seed_trials(calibration: Calibration, name: str, best: Point) -> tuple[Trial, ...]:
    effort = calibration.effort
    return calibration.factory.seeds(resolve(name), best, effort.horizon_steps, effort.seeds)


def _timing_trials(calibration: Calibration, name: str, best: Point) -> tuple[Trial, ...]:
    steps = min(calibration.effort.horizon_steps, MOST_STEPS)
    return calibration.factory.timing(resolve(name), best, steps, TRIALS)


def _whole_studies(calibration: Calibration) -> tuple[Trial, ...]:
    effort = calibration.effort
    trials = registry.suite(calibration.request.suite).rulesets["external"].trials
    steps = round(effort.horizon_steps / HORIZON_FRACTION)
    first = resolve(effort.baselines[0])
    return calibration.factory.whole_studies(first, steps, effort.studies, trials)


def _reference_trials(calibration: Calibration) -> list[Trial]:
    request, duration_s = calibration.request, calibration.effort.reference_s
    return [reference_trial(request, duration_s, number) for number in range(1, TRIALS + 1)]
