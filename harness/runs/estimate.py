"""What a run takes, before any of it trains: trials, time, memory, disk and price."""

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
"""Of one trial: events, TensorBoard's, log; those of quick's `mlp` take 100 KiB."""


@dataclass(frozen=True)
class Estimate:
    """Upper bounds of what the missing trials of a run take, one after the other."""

    trials: int
    """How many are planned."""
    pending: int
    """How many have no finished record."""
    steps: int
    """Of those that are counted in steps, whose seconds nobody plans."""
    timed_s: float
    """Seconds on the clock of the others, if none reaches its target."""
    longest_s: float
    """The same with every warm-up used up; evaluation is extra."""
    memory_gib: float
    """What the largest worker may use; its referee needs the held-out data and a model beside."""
    disk_bytes: int
    """Records, the largest checkpoint, and the cache of prepared data at its limit."""

    def price(self, rate: float) -> float:
        """What it costs at most.

        Args:
            rate: of one machine, an hour.
        """
        return self.longest_s / 3600.0 * rate


def estimate(trials: Sequence[Trial], store: Path) -> Estimate:
    """What the trials of a plan that have no finished record take at most.

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
    """The largest checkpoint: the worker's state, and the snapshots that wait for a look."""
    workload = registry.workload(trial.workload)
    sizes = workload.sizes(trial.suite, trial.variant)
    source = ModelSource(workload.package, sizes, workload.spec.loss, trial.precision, False)
    model_bytes = NUMBER_BYTES * numbers_of(shapes_of(source))
    return state_limit(model_bytes) + trial.grid.kept * model_bytes
