"""A real Slurm of one node, started once; skipped where it is not installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.display.endings import RemoteDisplay
from harness.execution.base import RunOptions
from harness.execution.slurm.executor import SlurmExecutor
from harness.plan.trial import Trial
from tests.kit import endless_trials
from workloads.spec import Grid

from .cluster import Cluster, missing_commands

LIMITS = {"MaxArraySize": 4, "MaxJobCount": 60}
GRID = Grid(even=50, look_from=1.0, kept=5)
"""A look, and with no least time between two a checkpoint, at every fifth of fifty points."""


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[Cluster]:
    """The cluster; its arrays have three tasks at most."""
    if missing := missing_commands():
        pytest.skip(f"no {missing[0]} here: apt install slurm-wlm munge, then make test-slurm")
    if importlib.util.find_spec("submitit") is None:
        pytest.skip("submitit is not installed: make test-slurm")
    if os.geteuid() != 0:
        pytest.skip("slurmd runs as root alone: sudo make test-slurm")
    folder = Path(tempfile.mkdtemp(prefix="slurm-test-"))  # the path of a socket must be short
    cluster = Cluster(folder, LIMITS)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cluster(slurm_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The cluster, as the one that this process's commands speak to."""
    monkeypatch.setenv("SLURM_CONF", str(slurm_cluster.conf))
    return slurm_cluster


class Site:
    """A store and a profile on the cluster, whose node has no `scontrol` that works."""

    def __init__(self, cluster: Cluster, folder: Path, cache: Path) -> None:
        self.cluster, self.store, self.calls = cluster, folder / "store", folder / "scontrol-calls"
        self.options = RunOptions(cache_dir=cache, threads=1, checkpoint_s=0.0)
        self.messages: list[str] = []
        (bin_folder := folder / "bin").mkdir()
        (bin_folder / "scontrol").write_text(f"#!/bin/sh\necho $* >>{self.calls}\nexit 127\n")
        (bin_folder / "scontrol").chmod(0o755)
        self.profile = folder / "profile.toml"
        self._setup = f"setup = ['export PATH={bin_folder}:$PATH']"
        self.write_profile()

    def write_profile(self, *lines: str) -> None:
        own = {line.split()[0] for line in lines}
        usual = ("poll_s = 0.3", "memory_gib = 4", self._setup)
        kept_lines = [line for line in usual if line.split()[0] not in own]
        self.profile.write_text("\n".join([*kept_lines, *lines]))

    def executor(self) -> SlurmExecutor:
        return SlurmExecutor(self.store, RemoteDisplay(self.messages.append), profile=self.profile)

    def trials(self, count: int, steps: int, devices: int = 1) -> tuple[Trial, ...]:
        """Planned trials that are counted in steps and never reach their target."""
        return endless_trials(self.store, GRID, count=count, steps=steps, devices=devices)

    def arrays(self) -> list[Path]:
        return sorted(self.store.glob("slurm/*/trials.json"))

    def log(self, trial: Trial) -> Path:
        return self.store / trial.folder / "events.jsonl"


@pytest.fixture
def site(cluster: Cluster, tmp_path: Path, data_cache: Path) -> Iterator[Site]:
    yield Site(cluster, tmp_path, data_cache)
    cluster.ask("scancel", "--user=root")
