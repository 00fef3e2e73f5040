"""Trials on a Ray cluster of several nodes: placed alone, brought back, and never lost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.execution.base import Resources
from harness.execution.ray.engine import Engine
from harness.execution.ray.profile import RayProfile
from harness.plan.trial import Trial, TrialRecord
from harness.record.tables import results_frame
from harness.sandboxes.docker.engine import IMAGE_VARIABLE
from harness.verification.store import verify_store
from scoring.flags import trial_flags
from tests.containers_kit import built_image
from tests.kit import assert_quick_study

from .conftest import NODES, Site

pytestmark = pytest.mark.ray
SECOND_S = 1.0


def ran(site: Site, trials: tuple[Trial, ...]) -> tuple[TrialRecord, ...]:
    with site.executor() as executor:
        return executor.run(trials, site.options)


def test_a_study_comes_back_to_one_store(site: Site) -> None:
    trials = site.trials(3, steps=50)
    records = ran(site, trials)
    assert [record.result.state for record in records if record.result] == ["budget"] * 3
    assert not verify_store(site.store).findings
    assert ran(site, trials) == records


def test_a_lost_nodes_trial_runs_again_and_is_marked(site: Site) -> None:
    trials = site.trials(2, steps=1000)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(ran, site, trials)
        while f"{NODES} nodes for" not in " ".join(site.messages):
            time.sleep(0.1)
        time.sleep(SECOND_S)
        site.cluster.remove_node(sorted(site.cluster.worker_nodes, key=id)[0], allow_graceful=False)
        records = running.result(timeout=900)
    assert all(record.result and record.result.steps == 1000 for record in records)
    assert any("lost a node" in line for line in site.messages)
    frame = results_frame(site.store)
    assert sorted(frame["attempt"]) == [1, 2]
    assert [mark for mark in trial_flags(frame) if mark.startswith("repeated: 1 of 2")]
    assert not verify_store(site.store).findings


def has_company(folder: Path, wait_s: float) -> bool:
    """Whether another task with this folder runs at the same time, or begins to meanwhile."""
    own, have_met = folder / f"{time.time_ns()}-{os.getpid()}", folder / "have_met"
    own.touch()
    end_s = time.monotonic() + wait_s
    while not have_met.exists() and time.monotonic() < end_s:
        if len(list(folder.iterdir())) > 1:
            have_met.touch()
        time.sleep(0.02)
    own.unlink()
    return have_met.exists()


@pytest.mark.parametrize(("is_timed", "at_once", "wait_s"), [(True, 1, 3.0), (False, 2, 300.0)])
def test_on_the_clock_a_trial_has_its_node_alone(
    site: Site, tmp_path: Path, is_timed: bool, at_once: int, wait_s: float
) -> None:
    (folder := tmp_path / "running").mkdir()
    need = Resources(cores=1, gpus=0, memory_gib=1.0, is_timed=is_timed)
    engine = Engine(RayProfile(address=site.cluster.address))
    node = engine.nodes(need)[0]
    assert node.slots(need) == at_once
    # Ray itself keeps a second one away, were it placed there all the same
    resources = node.task_resources(need)
    tasks = [engine.start(node, resources, has_company, folder, wait_s) for _ in range(2)]
    assert [engine.outcome(task) for task in tasks] == [not is_timed] * 2
    engine.close()


def test_the_quick_mlp_study_is_planned_on_a_node_and_runs_there(site: Site) -> None:
    flags = f"--profile {site.profile} --out {site.store} --threads 1 --json"
    command = f"run --workload mlp --submission adamw --executor ray {flags}"
    environment = os.environ | {"XDG_CACHE_HOME": str(site.options.cache_dir)}
    process = subprocess.run(
        [sys.executable, "-m", "harness", *command.split()],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert_quick_study(process)
    assert "the machines:" in process.stderr
    assert "ray: 1 nodes for 3 trials" in process.stderr, "both nodes are on this machine"


def test_nodes_with_other_hardware_than_planned_for_are_refused(site: Site) -> None:
    site.options = replace(site.options, fingerprint="0" * 12)
    with pytest.raises(HarnessError, match="no node has the hardware"):
        ran(site, site.trials(1, steps=20))


def test_a_cluster_without_what_a_trial_needs_is_named(site: Site) -> None:
    site.options = replace(site.options, threads=64)
    with pytest.raises(HarnessError, match=r"no node .* 64 CPUs .*: .*2 CPUs and 0 GPUs"):
        ran(site, site.trials(1, steps=20))


def test_a_trial_on_several_devices_gets_the_cpus_of_all(site: Site) -> None:
    (record,) = ran(site, site.trials(1, steps=50, devices=2))
    assert record.result is not None
    assert record.result.steps == 50
    with pytest.raises(HarnessError, match=r"no node .* 4 CPUs .*: .*2 CPUs and 0 GPUs"):
        ran(site, site.trials(1, steps=50, devices=4))


@pytest.fixture
def image(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers' image, in the environment from which nodes are started."""
    monkeypatch.setenv(IMAGE_VARIABLE, built_image())


def test_a_trial_trains_in_a_container_on_a_node(image: None, site: Site) -> None:
    site.options = replace(site.options, sandbox="docker")
    (record,) = ran(site, site.trials(1, steps=50))
    assert record.result is not None
    assert (record.result.state, record.result.steps) == ("budget", 50)
    assert set(results_frame(site.store)["sandbox"]) == {"docker"}


def test_a_cluster_that_does_not_answer_is_named(site: Site) -> None:
    site.profile.write_text("address = '127.0.0.1:1'\n")
    with (
        pytest.raises(HarnessError, match=r"no cluster answers at '127\.0\.0\.1:1'"),
        site.executor(),
    ):
        pass
