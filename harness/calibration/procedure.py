"""The calibration procedure: tune each baseline, rerun its best point, choose the target.

Every trial has a record in a store and runs once, so an interrupted calibration resumes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.calibration.halving import Final, Rung, halve
from harness.calibration.summary import (
    Baseline,
    Speed,
    Summary,
    TriedPoint,
    budget_of,
    six_digits,
)
from harness.calibration.target import Noise, Rule, noise_of, noise_text, target_of
from harness.calibration.timing import Stopwatch
from harness.calibration.trials import (
    TrialFactory,
    curve_of,
    final_of,
    points_of,
    study_bests,
)
from harness.display.endings import EndingsDisplay
from harness.execution.base import Executor, RunOptions
from harness.execution.load import executor
from harness.plan.plan import PlanRequest
from harness.plan.points import Point
from harness.plan.trial import Trial
from harness.providers import registry
from harness.providers.table import CONCURRENT_EXECUTOR
from harness.record.store import refuse_other_versions
from harness.submission.resolution import ResolvedSubmission, resolve
from workloads.spec import HORIZON_FRACTION, ReferenceSpeed, Target

BASELINES = ("adamw", "nadamw", "nesterov", "heavy_ball")
"""The baselines; the first one sets target and budget."""


@dataclass(frozen=True)
class Effort:
    """The effort of a calibration: numbers of points, seeds and studies."""

    horizon_steps: int
    points: int = 24
    seeds: int = 20
    studies: int = 10
    baselines: tuple[str, ...] = BASELINES
    rule: Rule = field(default_factory=Rule)
    reference_s: float = 20.0
    """Duration of each of three reference trainings, in seconds."""


class Executors(NamedTuple):
    """The executors of a calibration's trials."""

    parallel: Executor
    """Runs trials concurrently; only their steps count."""
    serial: Executor
    """Runs one trial at a time, so that it can be timed."""


@dataclass(frozen=True)
class Calibration:
    """A calibration: its workload, its effort, and how its trials run.

    Args:
        request: suite, workload, framework and device; its submission is not used.
        effort: the horizon, and the numbers of points, seeds and studies.
        store: the folder of the trials' records.
        options: the options of a trial that runs alone.
        jobs: the number of concurrent trials where only steps count.
        say: prints a line.
    """

    request: PlanRequest
    effort: Effort
    store: Path
    options: RunOptions
    jobs: int
    say: Callable[[str], None]

    @property
    def factory(self) -> TrialFactory:
        """The factory of the calibration's trials."""
        size = registry.workload(self.request.workload).at(self.request.suite)
        return TrialFactory(self.request, size)

    def run(self) -> Summary:
        """Run the missing trials and choose the target from all of them."""
        with self._executors() as executors:
            return self._calibrate(executors)

    def at_declared_target(
        self, earlier_baselines: Sequence[Baseline] = ()
    ) -> tuple[Baseline, ...]:
        """Tune, rerun and time the baselines, and evaluate them at the declared target.

        Earlier baselines are timed again, so that all times are from the same machine and day.
        """
        names = self.effort.baselines
        with self._executors() as executors:
            fresh = [self._baseline(name, executors) for name in names]
            retimed_baselines = [
                self._retime(one, executors)
                for one in earlier_baselines
                if one.submission not in names
            ]
        return tuple(
            _at(self.factory.size.target, baseline) for baseline in (*retimed_baselines, *fresh)
        )

    def retime(self, summary: Summary) -> Summary:
        """A summary with new times of the reference and all baselines, and the resulting budget."""
        with self._executors() as executors:
            reference = self._stopwatch(executors).reference()
            baselines = tuple(self._retime(one, executors) for one in summary.baselines)
        changes = {
            "reference": reference,
            "budget_s": budget_of(summary.horizon_steps, reference),
            "baselines": baselines,
            "checks": (),
        }
        return summary.model_copy(update=changes)

    def rerun(self, summary: Summary) -> Summary:
        """A summary with the seeds of the effort's baselines run anew at their tuned points, and
        the target from them.

        Tuned points, whole studies and times stay: for a validation split of another size, say.
        """
        names = self.effort.baselines
        with self._executors() as executors:
            baselines = [
                self._with_seeds(one, executors) if one.submission in names else one
                for one in summary.baselines
            ]
        noise = self._target(baselines[0], summary.study_bests, summary.rule)
        changes = {
            "target": noise,
            "baselines": self._at_target(noise, baselines),
            "checks": (),
        }
        return summary.model_copy(update=changes)

    def seed_trials(self, submission: ResolvedSubmission, point: Point) -> tuple[Trial, ...]:
        """The trials of a baseline's best point on fresh instances."""
        return self.factory.seeds(submission, point, self.effort.horizon_steps, self.effort.seeds)

    def whole_study_trials(self) -> tuple[Trial, ...]:
        """The trials of whole studies of the first baseline, as a user runs them."""
        effort = self.effort
        trials = registry.suite(self.request.suite).rulesets["external"].trials
        steps = round(effort.horizon_steps / HORIZON_FRACTION)
        return self.factory.whole_studies(
            resolve(effort.baselines[0]), steps, effort.studies, trials
        )

    @contextmanager
    def _executors(self) -> Iterator[Executors]:
        refuse_other_versions(self.store)
        display = EndingsDisplay(self.say)
        with (
            executor(CONCURRENT_EXECUTOR, self.store, display, jobs=self.jobs) as parallel,
            executor(CONCURRENT_EXECUTOR, self.store, display) as serial,
        ):
            yield Executors(parallel, serial)

    def _retime(self, baseline: Baseline, executors: Executors) -> Baseline:
        speed = self._speed(resolve(baseline.submission), baseline.best_point, executors)
        return baseline.model_copy(update={"speed": speed})

    def _speed(self, submission: ResolvedSubmission, best: Point, executors: Executors) -> Speed:
        return self._stopwatch(executors).baseline(submission, best, self.effort.horizon_steps)

    def _stopwatch(self, executors: Executors) -> Stopwatch:
        return Stopwatch(
            self.factory,
            self.store,
            executors.serial,
            self.options,
            self.effort.reference_s,
            self.say,
        )

    def _calibrate(self, executors: Executors) -> Summary:
        first = self._baseline(self.effort.baselines[0], executors)
        bests = self._whole_studies(executors)
        noise = self._target(first, bests, self.effort.rule)
        others = [self._baseline(name, executors) for name in self.effort.baselines[1:]]
        baselines = self._at_target(noise, (first, *others))
        return self._summary(noise, bests, baselines, self._stopwatch(executors).reference())

    def _target(self, first: Baseline, bests: Sequence[float | None], rule: Rule) -> Noise:
        """The target by the rule, from the first baseline's seeds and whole studies."""
        target = self.factory.size.target
        noise = target_of(first.curves, bests, target.metric, target.direction, rule)
        self.say(f"target: {noise_text(noise, target.metric)}")
        return noise

    def _at_target(self, noise: Noise, baselines: Iterable[Baseline]) -> tuple[Baseline, ...]:
        """Baselines with their steps to a new target."""
        target = self.factory.size.target.model_copy(update={"value": noise.value})
        return tuple(_at(target, baseline) for baseline in baselines)

    def _whole_studies(self, executors: Executors) -> tuple[float | None, ...]:
        """Whole studies of the first baseline, which ensure that a user can reach the target."""
        records = executors.parallel.run(self.whole_study_trials(), self._shared_options)
        bests = study_bests(records, self.factory.size.target.direction)
        self.say(f"{self.effort.baselines[0]}: {len(bests)} whole studies, bests {bests}")
        return bests

    def _summary(
        self,
        noise: Noise,
        bests: tuple[float | None, ...],
        baselines: Sequence[Baseline],
        reference: ReferenceSpeed,
    ) -> Summary:
        request, target = self.request, self.factory.size.target
        return Summary(
            workload=request.workload,
            suite=request.suite,
            framework=request.framework,
            metric=target.metric,
            direction=target.direction,
            horizon_steps=self.effort.horizon_steps,
            rule=self.effort.rule,
            target=noise,
            reference=reference,
            budget_s=budget_of(self.effort.horizon_steps, reference),
            study_bests=bests,
            baselines=tuple(baselines),
        )

    def _baseline(self, name: str, executors: Executors) -> Baseline:
        submission = resolve(name)
        submission.require(self.request.framework)
        best, tries = self._tune(submission, executors)
        baseline = Baseline(
            submission=name,
            content_hash=submission.ref.content_hash,
            best_point=best,
            tried=tries,
            curves=(),
            final_mean=None,
            final_deviation=None,
            speed=None,
        )
        speed = self._speed(submission, best, executors)
        return self._with_seeds(baseline, executors).model_copy(update={"speed": speed})

    def _with_seeds(self, baseline: Baseline, executors: Executors) -> Baseline:
        """A tuned baseline with the curves of its best point on fresh instances."""
        submission = resolve(baseline.submission)
        seeds = self.seed_trials(submission, baseline.best_point)
        records = executors.parallel.run(seeds, self._shared_options)
        finals = [final.value for r in records if (final := final_of(r, self.store)) is not None]
        mean = f"{np.mean(finals):.6g}" if finals else "none"
        self.say(f"{baseline.submission}: {len(records)} seeds, mean {mean}")
        changes = {
            "content_hash": submission.ref.content_hash,
            "curves": tuple(curve_of(record, self.store) for record in records),
            "final_mean": six_digits(np.mean(finals)) if finals else None,
            "final_deviation": six_digits(np.std(finals, ddof=1)) if len(finals) > 1 else None,
        }
        return baseline.model_copy(update=changes)

    def _tune(
        self, submission: ResolvedSubmission, executors: Executors
    ) -> tuple[Point, tuple[TriedPoint, ...]]:
        """The best point by successive halving, and all tried points."""

        def train(rung: Rung) -> list[Final | None]:
            trials = self.factory.rung(submission, rung.points, rung.number, rung.steps)
            records = executors.parallel.run(trials, self._shared_options)
            self.say(f"{submission.ref.name}: {len(records)} points to {rung.steps} steps tried")
            return [final_of(record, self.store) for record in records]

        points = points_of(submission, self.request, self.effort.points)
        return halve(points, self.effort.horizon_steps, self.factory.size.target.direction, train)

    @property
    def _shared_options(self) -> RunOptions:
        """The options of a trial that shares the machine's CPU threads with others."""
        return replace(self.options, threads=max(1, self.options.threads // self.jobs))


def _at(target: Target, baseline: Baseline) -> Baseline:
    return baseline.model_copy(update={"at_target": noise_of(baseline.curves, target)})
