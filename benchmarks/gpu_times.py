"""How long the pieces of `gpu.py` take on an H100: calculated, as none has run on one yet."""

from __future__ import annotations

from harness.calibration.halving import RUNGS
from harness.calibration.procedure import Effort
from harness.calibration.timing import MOST_STEPS, TRIALS
from harness.providers import registry

HOUR_S = 3600.0
"""The limit for all of them together."""
STEP_S = {"mlp": 0.011, "resnet": 0.015, "lm": 0.026, "rnn": 0.020}
"""The duration of a step of AdamW: the middle of the estimates in `workload.toml`; for `mlp`, on
two cores.
"""
START_S = {"mlp": 3.0, "resnet": 25.0, "lm": 25.0, "rnn": 8.0}
"""From a worker's start to its first timed step, including the compiler for compiled models."""
TESTS_S = {"frameworks": 90, "machine": 110, "sandboxes": 90, "workloads": 15}
"""The duration of the test folders that need a GPU."""
END_S = 4.0
"""From a trial's last timed step to the end of its command."""


def calibration_s(suite: str, workload: str, points: int, seeds: int) -> float:
    """Rungs, seeds, timing and reference training; each trial includes its start."""
    rungs = [(length, max(1, round(fraction * points))) for length, fraction in RUNGS]
    steps = registry.workload(workload).at(suite).budget.horizon_steps
    horizons = sum(length * count for length, count in rungs) + seeds
    horizons += TRIALS * min(steps, MOST_STEPS) / steps
    starts = sum(count for _, count in rungs) + seeds + 2 * TRIALS
    clock_s = horizons * horizon_s(suite, workload) + TRIALS * Effort.reference_s
    return clock_s + starts * START_S[workload]


def run_s(workload: str, clock_s: float) -> float:
    """One trial of this duration by `harness run`, including the rehearsal of the submission."""
    return 2 * START_S[workload] + clock_s + END_S


def horizon_s(suite: str, workload: str) -> float:
    """The whole horizon of AdamW."""
    return STEP_S[workload] * registry.workload(workload).at(suite).budget.horizon_steps


def budget_s(suite: str, workload: str) -> float:
    """The declared budget of a trial."""
    return registry.workload(workload).at(suite).budget.runtime_s
