"""Estimates a run before it trains: number of trials, time, memory, disk space and price."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HarnessError
from harness.frameworks.examples import ModelSource
from harness.frameworks.model_source import shapes_of
from harness.plan.trial import Trial
from harness.protocol.slot import NUMBER_BYTES, numbers_of
from harness.providers import registry
from harness.record.plan import unfinished_trials
from harness.referee.checkpoint import state_limit
from workloads.data.cache import LIMIT_BYTES

RECORD_BYTES = 2**20
"""Disk space for one trial's events, TensorBoard file and log; quick's `mlp` needs 100 KiB."""


@dataclass(frozen=True)
class Estimate:
    """Upper bounds for the missing trials of a run, run one after another."""

    trials: int
    """The number of planned trials."""
    pending: int
    """The number of trials without a finished record."""
    steps: int
    """Steps of the missing trials whose budget is in steps; how long they take is unknown."""
    timed_s: float
    """Training time of the other missing trials if none reaches its target, in seconds."""
    longest_s: float
    """The same plus the longest permitted warm-ups, in seconds; excludes evaluation."""
    memory_gib: float
    """The largest worker's memory limit; the referee also needs the held-out data and a model."""
    disk_bytes: int
    """Disk space for records, the largest checkpoint, and the full cache of prepared data."""

    def price(self, rate: float) -> float:
        """The maximum price of the trials whose budget is in seconds; evaluation is extra.

        Args:
            rate: the price of one machine per hour.
        """
        return self.longest_s / 3600.0 * rate


def estimate(trials: Sequence[Trial], store: Path) -> Estimate:
    """An upper bound for the trials of a plan that have no finished record.

    Raises:
        HarnessError: nothing is planned.
    """
    if not trials:
        raise HarnessError("no trial is planned")
    pending = unfinished_trials(trials, store)
    timed_trials = [trial for trial in pending if trial.budget.steps is None]
    timed_s = math.fsum(trial.budget.runtime_s for trial in timed_trials)
    return Estimate(
        trials=len(trials),
        pending=len(pending),
        steps=sum(trial.budget.steps or 0 for trial in pending),
        timed_s=timed_s,
        longest_s=timed_s + math.fsum(trial.limits.warmup_s for trial in timed_trials),
        memory_gib=max((t.limits.memory_gib * t.devices for t in pending), default=0.0),
        disk_bytes=_disk_bytes(pending),
    )


def _disk_bytes(pending: Iterable[Trial]) -> int:
    checkpoints = {trial.workload: _checkpoint_bytes(trial) for trial in pending}
    if not checkpoints:
        return 0
    records = sum(RECORD_BYTES for _ in pending)
    return records + max(checkpoints.values()) + LIMIT_BYTES


def _checkpoint_bytes(trial: Trial) -> int:
    """The largest checkpoint in bytes: the worker's state and snapshots awaiting evaluation."""
    workload = registry.workload(trial.workload)
    sizes = workload.sizes(trial.suite, trial.variant)
    source = ModelSource(workload.package, sizes, workload.spec.loss, trial.precision, False)
    model_bytes = NUMBER_BYTES * numbers_of(shapes_of(source))
    return state_limit(model_bytes) + trial.grid.kept * model_bytes
