"""How long the pieces of `gpu.py` take on an H100: worked out, for none has run on one yet."""

from __future__ import annotations

from harness.calibration.halving import RUNGS
from harness.calibration.procedure import Effort
from harness.calibration.timing import MOST_STEPS, TRIALS
from harness.providers import registry

HOUR_S = 3600.0
"""What all of them fit."""
STEP_S = {"mlp": 0.011, "resnet": 0.015, "lm": 0.026, "rnn": 0.020}
"""A step of AdamW: in the middle of what `workload.toml` works out; of `mlp`, on two cores."""
START_S = {"mlp": 3.0, "resnet": 25.0, "lm": 25.0, "rnn": 8.0}
"""From a worker's start to its first timed step: where the model is compiled, the compiler."""
TESTS_S = {"frameworks": 90, "machine": 110, "sandboxes": 90, "workloads": 15}
"""The folders with tests that need a card."""
END_S = 4.0
"""From a trial's last timed step to the end of its command."""


def calibration_s(suite: str, workload: str, points: int, seeds: int) -> float:
    """Rungs, seeds, timing and reference training; each trial has its start."""
    rungs = [(length, max(1, round(fraction * points))) for length, fraction in RUNGS]
    steps = registry.workload(workload).at(suite).budget.horizon_steps
    horizons = sum(length * count for length, count in rungs) + seeds
    horizons += TRIALS * min(steps, MOST_STEPS) / steps
    starts = sum(count for _, count in rungs) + seeds + 2 * TRIALS
    clock_s = horizons * horizon_s(suite, workload) + TRIALS * Effort.reference_s
    return clock_s + starts * START_S[workload]


def run_s(workload: str, clock_s: float) -> float:
    """One trial of so long by `harness run`, which has the submission rehearsed before."""
    return 2 * START_S[workload] + clock_s + END_S


def horizon_s(suite: str, workload: str) -> float:
    """AdamW's whole horizon."""
    return STEP_S[workload] * registry.workload(workload).at(suite).budget.horizon_steps


def budget_s(suite: str, workload: str) -> float:
    """A trial's declared budget."""
    return registry.workload(workload).at(suite).budget.runtime_s
