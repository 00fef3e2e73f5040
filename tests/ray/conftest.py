"""A real Ray cluster of several nodes on this machine; skipped where Ray is not installed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.display.endings import RemoteDisplay
from harness.execution.base import RunOptions
from harness.execution.ray.executor import RayExecutor
from harness.plan.trial import Trial
from tests.kit import endless_trials
from workloads.spec import Grid

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

GRID = Grid(even=50, look_from=1.0, kept=5)
NODES = 2
BARE = {"include_dashboard": False, "include_log_monitor": False}
PATIENCE = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_worker_register_timeout_seconds": "300",
    "RAY_health_check_timeout_ms": "60000",
}
"""On a busy machine nodes and workers start slowly, and are not dead for that."""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head without processors, and two nodes with two each."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed: make test-ray")
    from ray.cluster_utils import Cluster

    # its workers do not start in this folder
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    for name, value in PATIENCE.items():
        monkeypatch.setenv(name, value)
    new_cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **BARE})
    try:
        for _ in range(NODES):
            new_cluster.add_node(num_cpus=2, **BARE)
        yield new_cluster
    finally:
        new_cluster.shutdown()


class Site:
    """A store on this machine, and a profile that leads to the cluster."""

    def __init__(self, cluster: Cluster, folder: Path, cache: Path) -> None:
        self.cluster, self.store = cluster, folder / "store"
        self.options = RunOptions(cache_dir=cache, threads=1, checkpoint_s=0.0)
        self.messages: list[str] = []
        self.profile = folder / "profile.toml"
        self.profile.write_text(f"address = '{cluster.address}'\n")

    def executor(self) -> RayExecutor:
        return RayExecutor(self.store, RemoteDisplay(self.messages.append), profile=self.profile)

    def trials(self, count: int, steps: int, devices: int = 1) -> tuple[Trial, ...]:
        """Planned trials that are counted in steps and never reach their target."""
        return endless_trials(self.store, GRID, count=count, steps=steps, devices=devices)


@pytest.fixture
def site(cluster: Cluster, tmp_path: Path, data_cache: Path) -> Site:
    return Site(cluster, tmp_path, data_cache)
