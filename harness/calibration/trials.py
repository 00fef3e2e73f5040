"""The trials of a calibration: budgets in steps, so that every machine finds the same target.

A trial of s steps has a budget of s steps and the point's `horizon` set to 1. This is step for step
the schedule of a budget of s / 0.75 steps with a horizon of 0.75, without the last quarter, in
which nothing more is learned. A rung of successive halving is thus a complete training run with a
short schedule, not the beginning of a long one; among truncated runs, those with a high learning
rate would rank too low, because their rate has not decayed yet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from harness.calibration.halving import Final
from harness.calibration.summary import six_digits
from harness.calibration.target import Curve, Direction
from harness.core.errors import HarnessError
from harness.core.seeds import derive, instance_seed
from harness.plan.plan import PlanRequest, trial_of
from harness.plan.points import Point, draw_points
from harness.plan.trial import Trial, TrialBudget, TrialRecord
from harness.record.tables import evaluations
from harness.submission.resolution import ResolvedSubmission
from workloads.spec import HORIZON_FRACTION, Grid, SuiteWorkload

ROUND_SEED = "calibration"
HANG_LIMIT_S = 3600.0
"""Time limit for a worker that hangs, in seconds; trials with a budget in steps end long before."""
TUNING_GRID = Grid(even=10, look_from=1.0)
"""Only the end is evaluated; earlier snapshots stop a trial that has diverged."""
CURVE_GRID = Grid(first=0.05, ratio=1.05, kept=1)
"""All sixty points are evaluated, so that noise is known equally well at any target."""
TIMED_GRID = Grid(even=50, look_from=1.0)
"""Equal rounds; the median of their seconds per step counts."""
SEEDS_STUDY, TIMING_STUDY, WHOLE_STUDY = 100, 200, 300
"""The study numbers of the reruns, of the timing trials, and of the first whole study; rungs are
studies from 1 on."""


class RunSpec(NamedTuple):
    """The length, instance and evaluation grid of a calibration's trial."""

    steps: int
    instance_seed: str
    grid: Grid


@dataclass(frozen=True)
class TrialFactory:
    """Makes the trials of one calibration."""

    request: PlanRequest
    size: SuiteWorkload

    def rung(
        self,
        submission: ResolvedSubmission,
        points: Sequence[tuple[int, Point]],
        rung: int,
        steps: int,
    ) -> tuple[Trial, ...]:
        """One trial per point, all on the same instance, so that comparisons of points are paired.

        Args:
            submission: the baseline.
            points: (number, point) pairs, numbered from 1.
            rung: the rung's number, from 1.
            steps: the budget of its trials, in steps.
        """
        seed = self._instance(rung, 1)
        return tuple(
            self._trial(
                submission, _to_the_end(point), (rung, number), RunSpec(steps, seed, TUNING_GRID)
            )
            for number, point in points
        )

    def seeds(
        self, submission: ResolvedSubmission, point: Point, steps: int, count: int
    ) -> tuple[Trial, ...]:
        """The best point on fresh instances, on a grid fine enough to choose a target from."""
        return self._on_fresh_instances(
            submission, point, steps, count, study=SEEDS_STUDY, grid=CURVE_GRID
        )

    def timing(
        self, submission: ResolvedSubmission, point: Point, steps: int, count: int
    ) -> tuple[Trial, ...]:
        """The best point on the same instances, for trials that run alone."""
        return self._on_fresh_instances(
            submission, point, steps, count, study=TIMING_STUDY, grid=TIMED_GRID
        )

    def whole_studies(
        self, submission: ResolvedSubmission, steps: int, studies: int, trials: int
    ) -> tuple[Trial, ...]:
        """Studies as a user runs them: each draws new points, which keep their own horizon.

        Args:
            submission: the baseline.
            steps: the budget of a trial, in steps.
            studies: the number of studies.
            trials: the number of points per study.
        """
        all_trials = []
        for study in range(WHOLE_STUDY, WHOLE_STUDY + studies):
            points = draw_points(submission.space, derive(ROUND_SEED, study), trials)
            for number, point in enumerate(points, start=1):
                run = RunSpec(steps, self._instance(study, number), self.size.grid)
                all_trials.append(self._trial(submission, point, (study, number), run))
        return tuple(all_trials)

    def _on_fresh_instances(
        self,
        submission: ResolvedSubmission,
        point: Point,
        steps: int,
        count: int,
        *,
        study: int,
        grid: Grid,
    ) -> tuple[Trial, ...]:
        """The best point on instances not used for tuning: those of the seeds' study."""
        instances = ((n, self._instance(SEEDS_STUDY, n)) for n in range(1, count + 1))
        return tuple(
            self._trial(submission, _to_the_end(point), (study, n), RunSpec(steps, seed, grid))
            for n, seed in instances
        )

    def _instance(self, study: int, trial: int) -> str:
        request = self.request
        return instance_seed(ROUND_SEED, request.suite, request.workload, study, trial)

    def _trial(
        self, submission: ResolvedSubmission, point: Point, place: tuple[int, int], run: RunSpec
    ) -> Trial:
        trial = trial_of(self.request, self.size, submission, point, place)
        changes = {
            "budget": TrialBudget(runtime_s=HANG_LIMIT_S, steps=run.steps),
            "stop_rule": "budget",
            "instance_seed": run.instance_seed,
            "grid": run.grid,
            "probes": False,
        }
        return trial.model_copy(update=changes)


def _to_the_end(point: Point) -> Point:
    return point | {"horizon": 1.0}


def points_of(
    submission: ResolvedSubmission, request: PlanRequest, count: int
) -> tuple[Point, ...]:
    """The candidate points of a baseline.

    Raises:
        HarnessError: its schedule does not end at a horizon.
    """
    if "horizon" not in submission.space.default:
        raise HarnessError(
            f"submission '{submission.ref.name}' has no hyperparameter 'horizon'",
            "a baseline's schedule must end at a fraction of the budget: add it to [default]",
        )
    seed = derive(ROUND_SEED, request.suite, request.workload)
    points = draw_points(submission.space, seed, count)
    return tuple(point | {"horizon": HORIZON_FRACTION} for point in points)


def final_of(record: TrialRecord, store: Path) -> Final | None:
    """The validation values after a trial's last step; None if it ended earlier, or with NaN."""
    last = next(reversed(evaluations(store / record.trial.folder)), None)
    if last is None or last.step != record.trial.budget.steps:
        return None
    value, loss = last.validation[record.trial.target.metric], last.validation["loss"]
    return None if value is None else Final(six_digits(value), math.inf if loss is None else loss)


def study_bests(records: Sequence[TrialRecord], direction: Direction) -> tuple[float | None, ...]:
    """The best value of any trial, for each study in order of its number."""
    pick = max if direction == "maximize" else min
    by_study: dict[int, list[float]] = {record.trial.study: [] for record in records}
    for record in records:
        if record.result is not None and record.result.best_metric is not None:
            by_study[record.trial.study].append(record.result.best_metric)
    return tuple(pick(values) if values else None for _, values in sorted(by_study.items()))


def curve_of(record: TrialRecord, store: Path) -> Curve:
    """The values of the validation metric in a trial's evaluations."""
    events = evaluations(store / record.trial.folder)
    metric = record.trial.target.metric
    values = [evaluation.validation[metric] for evaluation in events]
    return Curve(
        instance_seed=record.trial.instance_seed,
        steps=tuple(evaluation.step for evaluation in events),
        values=tuple(None if value is None else six_digits(value) for value in values),
    )
