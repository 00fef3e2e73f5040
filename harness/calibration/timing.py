"""Measure seconds per step for a calibration: of reference training, and of a baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.calibration.summary import Speed, six_digits
from harness.calibration.trials import TrialFactory
from harness.core.errors import HarnessError
from harness.execution.base import Executor, RunOptions
from harness.plan.plan import PlanRequest
from harness.plan.points import Point
from harness.plan.trial import Trial
from harness.record.store import last_attempt
from harness.record.tables import intervals
from harness.speed.reference_training import measurement_of, reference_trial
from harness.submission.resolution import ResolvedSubmission
from workloads.spec import ReferenceSpeed

TRIALS, MOST_STEPS = 3, 1000
"""The number of timing trials, and the maximum of their steps: enough for a median."""


def reference_trials(request: PlanRequest, duration_s: float) -> list[Trial]:
    """Reference trainings of a duration in seconds each."""
    return [reference_trial(request, duration_s, number) for number in range(1, TRIALS + 1)]


def timing_trials(
    factory: TrialFactory, submission: ResolvedSubmission, best: Point, horizon_steps: int
) -> tuple[Trial, ...]:
    """The trials that time a baseline at its best point."""
    return factory.timing(submission, best, min(horizon_steps, MOST_STEPS), TRIALS)


@dataclass(frozen=True)
class Stopwatch:
    """Times training that runs alone on the machine, with all threads of a scored trial.

    Args:
        factory: makes the calibration's trials.
        store: the folder of the trials' records.
        executor: runs one trial at a time.
        options: the options of a trial that runs alone.
        reference_s: the duration of one reference training, in seconds.
        say: prints a line.
    """

    factory: TrialFactory
    store: Path
    executor: Executor
    options: RunOptions
    reference_s: float
    say: Callable[[str], None]

    def reference(self) -> ReferenceSpeed:
        """The speed of reference training on this machine: medians of several measurements."""
        request = self.factory.request
        trials = reference_trials(request, self.reference_s)
        self.executor.run(trials, self.options)
        logs = [last_attempt(self.store / trial.folder) for trial in trials]
        measurements = [measurement_of(log, request.workload) for log in logs]
        for one in measurements:
            steady = "" if one.is_of_an_idle_machine else ": this machine is not idle"
            self.say(f"reference: {1e3 * one.step_s:.3f} ms a step ± {one.spread:.1%}{steady}")
        return ReferenceSpeed(
            step_s=float(f"{np.median([one.step_s for one in measurements]):.4g}"),
            startup_s=round(float(np.median([one.startup_s for one in measurements])), 2),
        )

    def baseline(self, submission: ResolvedSubmission, best: Point, horizon_steps: int) -> Speed:
        """The speed of a baseline at its best point.

        Raises:
            HarnessError: the baseline made no step.
        """
        from harness.machine.hardware import fingerprint

        trials = timing_trials(self.factory, submission, best, horizon_steps)
        records = self.executor.run(trials, self.options)
        logs = [last_attempt(self.store / record.trial.folder) for record in records]
        times = [interval.step_s for log in logs if log for interval in intervals(log)]
        if not times:
            result = records[0].result
            raise HarnessError(
                f"{submission.ref.name} at its best point made no step: "
                f"{result.reason if result else 'it has not ended'}",
                "tune it again: harness calibrate --add --baselines NAME",
            )
        return Speed(
            step_s=six_digits(np.median(times)),
            trials=len(records),
            threads=self.options.threads,
            hardware=fingerprint(self.factory.request.device),
        )
