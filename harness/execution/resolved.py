"""A trial with all that its names stand for on this machine, looked up once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.frameworks.examples import Examples, ModelSource
from harness.frameworks.model_source import shapes_of
from harness.machine.hardware import Environment, environment
from harness.plan.trial import Trial
from harness.providers import registry
from harness.providers.table import FRAMEWORKS
from harness.submission.resolution import Located, locate
from workloads.data.cache import prepared
from workloads.spec import SuiteWorkload


@dataclass(frozen=True)
class ResolvedTrial:
    """What a trial's names stand for: its workload, its submission, its data.

    Args:
        trial: the frozen value.
        size: its workload at its suite's size.
        source: what its model is built from.
        data: the folder of the instance's splits.
        submission: where it is, and the hash of its very bytes.
    """

    trial: Trial
    size: SuiteWorkload
    source: ModelSource
    data: Path
    submission: Located

    @cached_property
    def train(self) -> Examples:
        """The training split, in memory or mapped."""
        return Examples.open(self.data / "train", self.size.limits.resident_gib)

    @cached_property
    def held_out(self) -> dict[str, Examples]:
        """The held-out splits that there are, by name."""
        limit_gib = self.size.limits.resident_gib
        folders = {name: self.data / name for name in ("validation", "test")}
        return {n: Examples.open(f, limit_gib) for n, f in folders.items() if f.is_dir()}

    @property
    def environment(self) -> Environment:
        """What the trial runs on, with the versions of what its submission imports and needs."""
        own = environment()
        packages = {**self.submission.versions, **own.packages}
        return own.model_copy(update={"packages": packages})

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of what a snapshot holds: parameters, then buffers."""
        return shapes_of(self.source)


def prepare_data(trial: Trial, options: RunOptions) -> Path:
    """Make a trial's data, unless they are made; returns the folder of its splits.

    Raises:
        HarnessError: the workload is gone, or not what it was when the trial was planned; or the
            data cannot be made.
    """
    workload = _planned_workload(trial)
    return prepared(workload, trial.suite, trial.instance_seed, options.data_dir, options.cache_dir)


def resolve_trial(trial: Trial, options: RunOptions) -> ResolvedTrial:
    """Look up what a trial names, and make its data unless they are made.

    Raises:
        HarnessError: as `prepare_data`; or the submission is gone, or not what it was.
    """
    workload = _planned_workload(trial)
    size = workload.at(trial.suite)
    is_compiled = size.compile and trial.device.startswith("cuda")
    sizes, loss = workload.sizes(trial.suite, trial.variant), workload.spec.loss
    return ResolvedTrial(
        trial=trial,
        size=size,
        source=ModelSource(workload.package, sizes, loss, trial.precision, is_compiled),
        data=prepare_data(trial, options),
        submission=locate(trial.submission, trial.framework),
    )


def check_names(trial: Trial) -> None:
    """Check what a trial's folder is named after, before there is one: no name leads elsewhere.

    Raises:
        HarnessError: workload, suite, variant, framework or submission are not known here.
    """
    FRAMEWORKS.entry(trial.framework)
    registry.workload(trial.workload).sizes(trial.suite, trial.variant)
    locate(trial.submission, trial.framework)


def _planned_workload(trial: Trial) -> registry.Workload:
    workload = registry.workload(trial.workload)
    if workload.content_hash(trial.suite) != trial.workload_hash:
        raise HarnessError(
            f"workload '{trial.workload}' has changed since the trial was planned",
            "plan it again: `harness run` with another --out",
        )
    return workload
