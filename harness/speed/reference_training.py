"""Reference training: a few seconds of AdamW on a workload, in an ordinary worker."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.plan.plan import PlanRequest, trial_of, workload_at
from harness.plan.trial import Trial, TrialBudget
from harness.providers.table import DEFAULT_SANDBOX
from harness.record.attempts import Attempt
from harness.record.recorder import Silent
from harness.record.store import last_attempt
from harness.record.tables import intervals
from harness.submission.resolution import resolve
from workloads.spec import Grid

if TYPE_CHECKING:
    from harness.execution.base import RunOptions

REFERENCE = "adamw"
"""The shipped submission that is timed, with default hyperparameters, which do not affect step
time."""
DURATIONS_S = (5.0, 20.0, 60.0)
"""Training durations in seconds, tried in order while rounds are too few or differ too much."""
FULL_STATES = ("budget", "reached")
"""End states after training for the whole budget, whether or not the target was reached."""
ROUNDS = 20
FEWEST_ROUNDS = 4
AGREEING = 0.10
"""The interquartile range of the rounds, relative to their median, at which the shortest duration
suffices.

The speed of a shared virtual machine drifts within seconds; five seconds do not suffice there.
"""
STEADY = 0.25
"""The maximum of the same ratio on an idle machine, for any duration."""
IDLE = 0.10
"""The maximum fraction of the CPUs that other programs use on an idle machine."""


class TooFewRoundsError(HarnessError):
    """Reference training was too short to be timed."""


@dataclass(frozen=True)
class Measurement:
    """The measurements of one reference training."""

    step_s: float
    """The median over rounds of the seconds per step."""
    startup_s: float
    """Seconds of training time spent outside steps."""
    spread: float
    """The interquartile range of the rounds, relative to their median."""
    others: float
    """The fraction of the CPUs that other programs used meanwhile."""

    @property
    def is_steady(self) -> bool:
        """Whether the rounds agree well enough."""
        return self.spread <= STEADY

    @property
    def is_of_an_idle_machine(self) -> bool:
        """Whether the measurement may be cached."""
        return self.is_steady and self.others <= IDLE


def measure(request: PlanRequest, options: RunOptions, say: Callable[[str], None]) -> Measurement:
    """Train the reference for some seconds on the instance of the request's first trial.

    If other programs are running, a longer duration would not be steadier, so it is not tried.

    Args:
        request: suite, workload, framework and device.
        options: the trials' threads and folders; the worker runs in the sandbox `plain`.
        say: receives a line that says why training is extended.

    Raises:
        HarnessError: it ended before its budget, or made too few steps even in the longest
            duration.
    """
    *shorter_s, longest_s = DURATIONS_S
    for seconds, allowed_spread in zip(shorter_s, (AGREEING, STEADY), strict=False):
        with suppress(TooFewRoundsError):
            measurement = _measure(request, options, seconds)
            if measurement.spread <= allowed_spread or measurement.others > IDLE:
                return measurement
            say(f"its rounds differ by {measurement.spread:.0%}: measuring for longer")
    return _measure(request, options, longest_s)


def _measure(request: PlanRequest, options: RunOptions, seconds: float) -> Measurement:
    from harness.execution.trial import run_trial

    trial = reference_trial(request, seconds)
    with tempfile.TemporaryDirectory(prefix="guided-descent-speed-") as folder:
        store = Path(folder)
        run_trial(trial, store, replace(options, sandbox=DEFAULT_SANDBOX), Silent())
        return measurement_of(last_attempt(store / trial.folder), request.workload)


def reference_trial(request: PlanRequest, seconds: float, number: int = 1) -> Trial:
    """Reference training as a trial with a budget of some seconds.

    Args:
        request: suite, workload, framework and device.
        seconds: the budget in seconds.
        number: the trial number within the first study whose instance it uses.
    """
    request = replace(request, variant="base", ruleset="external", speed=None)
    reference = resolve(REFERENCE)
    point = dict(reference.space.default)
    trial = trial_of(request, workload_at(request), reference, point, (1, number))
    changes = {
        "budget": TrialBudget(runtime_s=seconds),
        "stop_rule": "budget",
        "grid": Grid(even=ROUNDS, look_from=1.0),
        "probes": False,
    }
    return trial.model_copy(update=changes)


def measurement_of(attempt: Attempt | None, workload: str) -> Measurement:
    """The measurements of one attempt at reference training.

    Raises:
        HarnessError: as `measure`.
    """
    end = attempt.end if attempt else None
    if attempt is None or end is None:
        raise HarnessError(f"reference training on {workload} has not ended")
    if end.result.state not in FULL_STATES:
        raise HarnessError(
            f"reference training on {workload} ended '{end.result.state}': {end.result.reason}",
            "budgets need its speed; `harness doctor --measure` tries it again",
        )
    rounds = intervals(attempt)
    if len(rounds) < 1 + FEWEST_ROUNDS:
        raise TooFewRoundsError(
            f"reference training on {workload} made {end.result.steps} steps in "
            f"{end.result.timed_s:.0f} s, too few to time",
            "leave this machine idle, or run the workload on a faster one",
        )
    first, *rest = rounds  # the first has the loading of the data in it
    low_s, step_s, high_s = quantiles([one.step_s for one in rest], n=4, method="inclusive")
    startup_s = max(0.0, first.seconds - first.steps * step_s)
    machine = end.machine_change
    others = machine.others_fraction if machine else 0.0
    return Measurement(step_s, startup_s, (high_s - low_s) / step_s, others)
