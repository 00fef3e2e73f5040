"""The trials of a calibration before any of them has run, for an estimate of what it takes.

Which points reach the next rung, and which one is best, is known only when trials have ended. The
first points stand in for them: they take as many steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from harness.calibration.halving import Rung, halve
from harness.calibration.procedure import Calibration
from harness.calibration.timing import reference_trials, timing_trials
from harness.calibration.trials import points_of
from harness.submission.resolution import resolve

if TYPE_CHECKING:
    from harness.calibration.summary import Baseline
    from harness.plan.points import Point
    from harness.plan.trial import Trial
    from harness.submission.resolution import ResolvedSubmission


def calibration_trials(calibration: Calibration) -> Iterator[Trial]:
    """The trials of `Calibration.run`."""
    yield from _fresh_trials(calibration)
    yield from calibration.whole_study_trials()
    yield from _reference_trials(calibration)


def added_trials(
    calibration: Calibration, earlier_baselines: Iterable[Baseline]
) -> Iterator[Trial]:
    """The trials of `Calibration.at_declared_target`."""
    names = calibration.effort.baselines
    yield from _fresh_trials(calibration)
    yield from _timing_trials(
        calibration, [one for one in earlier_baselines if one.submission not in names]
    )


def retimed_trials(calibration: Calibration, baselines: Iterable[Baseline]) -> Iterator[Trial]:
    """The trials of `Calibration.retime`."""
    yield from _reference_trials(calibration)
    yield from _timing_trials(calibration, baselines)


def rerun_trials(calibration: Calibration, baselines: Iterable[Baseline]) -> Iterator[Trial]:
    """The trials of `Calibration.rerun`."""
    for one in baselines:
        if one.submission in calibration.effort.baselines:
            yield from calibration.seed_trials(resolve(one.submission), one.best_point)


def _fresh_trials(calibration: Calibration) -> Iterator[Trial]:
    """The trials that tune each baseline, rerun its best point and time it."""
    effort, factory = calibration.effort, calibration.factory
    for submission in map(resolve, effort.baselines):
        submission.require(calibration.request.framework)
        best, trials = _tuning_trials(calibration, submission)
        yield from trials
        yield from calibration.seed_trials(submission, best)
        yield from timing_trials(factory, submission, best, effort.horizon_steps)


def _tuning_trials(
    calibration: Calibration, submission: ResolvedSubmission
) -> tuple[Point, list[Trial]]:
    """The point that stands in for the best one, and the trials of successive halving."""
    effort, factory = calibration.effort, calibration.factory
    trials: list[Trial] = []

    def note(rung: Rung) -> list[None]:
        trials.extend(factory.rung(submission, rung.points, rung.number, rung.steps))
        return [None] * len(rung.points)

    points = points_of(submission, calibration.request, effort.points)
    best, _ = halve(points, effort.horizon_steps, factory.size.target.direction, note)
    return best, trials


def _timing_trials(calibration: Calibration, baselines: Iterable[Baseline]) -> Iterator[Trial]:
    for one in baselines:
        yield from timing_trials(
            calibration.factory,
            resolve(one.submission),
            one.best_point,
            calibration.effort.horizon_steps,
        )


def _reference_trials(calibration: Calibration) -> list[Trial]:
    return reference_trials(calibration.request, calibration.effort.reference_s)
