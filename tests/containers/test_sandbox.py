"""The sandbox `docker` on a real engine: starts, freezes, measures and ends workers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest

from harness.core.errors import HarnessError
from harness.display.endings import EndingsDisplay
from harness.execution.base import RunOptions
from harness.execution.local import LocalExecutor
from harness.execution.pool import PoolExecutor
from harness.execution.remote import run_command, trial_command
from harness.plan.plan import PlanRequest
from harness.plan.trial import Trial
from harness.record.attempts import attempts_of, of_type
from harness.record.log import read_events
from harness.record.plan import record_of
from harness.record.schema import Begin, Resumed
from harness.record.store import EVENTS_FILE
from harness.record.tables import results_frame
from harness.runs.run import run
from harness.sandboxes.base import Confinement
from harness.sandboxes.docker.engine import IMAGE_VARIABLE
from harness.sandboxes.docker.leftovers import LABEL, remove_left_over
from harness.sandboxes.docker.process import VIEW, ContainerWorkerProcess
from harness.sandboxes.docker.sandbox import DockerSandbox
from harness.verification.store import verify_store
from tests.devices_kit import KNOCKING, Bench, assert_same_curves, trial_on
from tests.kit import assert_quick_study, endless_trials, space, write_submission
from workloads.spec import Grid

pytestmark = pytest.mark.containers


def confinement(folder: Path) -> Confinement:
    for name in ("scratch", "view"):
        (folder / name).mkdir()
    return Confinement(
        "torch", 1, 4.0, folder / "scratch", folder / "log", folder / "view", processes=64
    )


@pytest.fixture
def worker(worker_image: str, tmp_path: Path) -> Iterator[ContainerWorkerProcess]:
    started = DockerSandbox().start(confinement(tmp_path))
    yield started
    started.kill()


def of_this_process(engine: docker.DockerClient) -> list[str]:
    result = engine.containers.list(all=True, filters={"label": LABEL})
    return [each.id or "" for each in result if each.labels[LABEL].startswith(f"{os.getpid()}:")]


def test_a_worker_is_frozen_and_stays_so_until_it_is_thawed(worker: ContainerWorkerProcess) -> None:
    time.sleep(1.0)  # until it waits for HELLO
    assert worker.freeze()
    assert worker.has_stayed_frozen()
    worker.thaw()
    assert worker.use().memory_bytes > 10 * 2**20
    assert worker.use().cpu_s > 0.1


def test_thawed_behind_the_referees_back_it_has_not_stayed_frozen(
    worker: ContainerWorkerProcess,
) -> None:
    assert worker.freeze()
    worker._group.thaw()
    assert not worker.has_stayed_frozen()


def test_the_container_has_no_network_no_rights_and_only_reads(
    worker: ContainerWorkerProcess,
) -> None:
    worker._container.reload()
    host = worker._container.attrs["HostConfig"]
    assert (host["NetworkMode"], host["ReadonlyRootfs"]) == ("none", True)
    assert (host["Memory"], host["PidsLimit"]) == (4 * 2**30, 64)
    assert not any(mount["RW"] for mount in worker._container.attrs["Mounts"])
    assert worker._container.attrs["Config"]["User"] != "0:0"
    status = Path(f"/proc/{worker._container.attrs['State']['Pid']}/status").read_text()
    rights = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Cap"))
    assert {int(right, 16) for right in rights.values()} == {0}


def test_what_is_shown_lies_in_the_container_under_its_own_name(
    worker: ContainerWorkerProcess, tmp_path: Path
) -> None:
    (split := tmp_path / "train").mkdir()
    (split / "inputs.npy").write_text("shown")
    assert worker.show(split) == VIEW
    root = Path(f"/proc/{worker._container.attrs['State']['Pid']}/root")
    assert (root / "data" / "inputs.npy").read_text() == "shown"


def test_killed_while_it_is_frozen_nothing_of_it_is_left(
    engine: docker.DockerClient, worker: ContainerWorkerProcess
) -> None:
    assert of_this_process(engine)
    worker.freeze()
    worker.kill()
    assert of_this_process(engine) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.containers.test_sandbox import confinement
from harness.sandboxes.docker.sandbox import DockerSandbox
DockerSandbox().start(confinement(Path(sys.argv[1]))).freeze()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_container_of_a_referee_that_was_killed_is_removed_by_the_next(
    engine: docker.DockerClient, worker_image: str, tmp_path: Path
) -> None:
    (place := tmp_path / "dead").mkdir()
    command, root = [sys.executable, "-c", KILLED, str(place)], Path(__file__).parents[2]
    dead = subprocess.run(command, cwd=root, check=False)
    assert dead.returncode == -signal.SIGKILL
    DockerSandbox().start(confinement(tmp_path)).kill()
    assert engine.containers.list(all=True, filters={"label": LABEL}) == []


def test_several_referees_remove_the_same_containers(
    engine: docker.DockerClient, worker_image: str
) -> None:
    for _ in range(3):
        engine.containers.create(worker_image, labels={LABEL: "0:0"})
    with ThreadPoolExecutor() as pool:
        for removing in [pool.submit(remove_left_over, engine) for _ in range(4)]:
            removing.result()
    assert engine.containers.list(all=True, filters={"label": LABEL}) == []


def test_a_missing_image_is_named_with_the_command_that_builds_it(
    engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(IMAGE_VARIABLE, "guided-descent:nobody-built")
    with pytest.raises(HarnessError, match="no image 'guided-descent:nobody-built'") as error:
        DockerSandbox()
    assert "harness container build" in error.value.hint


def test_a_trial_trains_in_a_container_and_its_record_names_the_image(
    worker_image: str, tmp_path: Path, data_cache: Path
) -> None:
    request = PlanRequest("mlp", "muon", trials=1, budget_scale=0.05)
    options = RunOptions(sandbox="docker", cache_dir=data_cache, threads=1)
    (record,) = run(request, tmp_path, options=options)
    assert record.result is not None
    assert record.result.state == "budget"
    assert record.result.steps > 0
    (attempt,) = attempts_of(read_events(tmp_path / record.trial.folder / EVENTS_FILE))
    assert isinstance(attempt.begin, Begin)
    assert (attempt.begin.sandbox, attempt.begin.image) == ("docker", worker_image)
    assert attempt.begin.unenforced == ()


def test_the_quick_mlp_study_runs_in_containers(
    worker_image: str, tmp_path: Path, data_cache: Path
) -> None:
    flags = f"--sandbox docker --out {tmp_path} --json"
    process = subprocess.run(
        [
            sys.executable,
            "-m",
            "harness",
            *f"run --workload mlp --submission adamw {flags}".split(),
        ],
        env=os.environ | {"XDG_CACHE_HOME": str(data_cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert_quick_study(process)
    verification = verify_store(tmp_path)
    assert (verification.trials, verification.findings) == (3, ())
    assert set(results_frame(tmp_path)["sandbox"]) == {"docker"}


def test_trials_at_once_have_a_container_each(
    worker_image: str, planned_store: tuple[Path, RunOptions, tuple[Trial, ...]]
) -> None:
    store, options, trials = planned_store
    with PoolExecutor(store, EndingsDisplay(print), jobs=2) as pool:
        records = pool.run(trials, options)
    assert [record.result.state for record in records if record.result] == ["budget"] * 2
    assert set(results_frame(store)["sandbox"]) == {"docker"}
    assert not verify_store(store).findings


def test_ranks_train_in_one_container_as_one_device_does(
    worker_image: str, tmp_path: Path, data_cache: Path
) -> None:
    bench = Bench(tmp_path, data_cache, "docker")
    assert_same_curves(bench, trial_on(1, "adamw"), trial_on(2, "adamw"))


def test_once_the_ranks_have_met_no_socket_is_to_be_had(
    worker_image: str, tmp_path: Path, data_cache: Path
) -> None:
    bench = Bench(tmp_path, data_cache, "docker")
    trial = trial_on(2, str(write_submission(tmp_path / "mine", KNOCKING, space())))
    result = bench.run(trial)
    assert result.state == "budget", result.reason
    words = (bench.store / trial.folder / "worker.log").read_text().split()
    assert "refused" in words
    assert "open" not in words


@pytest.fixture
def planned_store(tmp_path: Path, data_cache: Path) -> tuple[Path, RunOptions, tuple[Trial, ...]]:
    """A store with two planned trials that take some seconds, and their options."""
    options = RunOptions("docker", cache_dir=data_cache, threads=1, checkpoint_s=0.0)
    grid = Grid(even=50, look_from=1.0, kept=5)
    return tmp_path, options, endless_trials(tmp_path, grid, count=2, steps=1500)


def wait_for_checkpoint(store: Path, trial: Trial) -> None:
    log, end_s = store / trial.folder / EVENTS_FILE, time.monotonic() + 600.0
    while not (log.exists() and b'"kind":"checkpoint"' in log.read_bytes()):
        assert time.monotonic() < end_s
        time.sleep(0.05)


def test_a_trial_whose_referee_is_killed_goes_on_in_another_container(
    engine: docker.DockerClient,
    worker_image: str,
    planned_store: tuple[Path, RunOptions, tuple[Trial, ...]],
) -> None:
    store, options, (trial, _) = planned_store
    command = trial_command(trial, store, options)
    with subprocess.Popen([sys.executable, "-m", "harness", *command]) as referee:
        wait_for_checkpoint(store, trial)
        referee.kill()
    assert run_command(command) == 0
    result = record_of(trial, store).result
    assert result is not None
    assert (result.state, result.steps) == ("budget", 1500)
    events = read_events(store / trial.folder / EVENTS_FILE)
    assert (len(of_type(events, Begin)), len(of_type(events, Resumed))) == (1, 1)
    assert not verify_store(store).findings
    assert engine.containers.list(all=True, filters={"label": LABEL}) == []


def test_a_container_that_is_killed_ends_its_trial_and_no_other(
    engine: docker.DockerClient,
    worker_image: str,
    planned_store: tuple[Path, RunOptions, tuple[Trial, ...]],
) -> None:
    store, options, trials = planned_store

    def kill_the_first() -> None:
        wait_for_checkpoint(store, trials[0])
        (container,) = engine.containers.list(filters={"label": LABEL})
        container.kill()

    with LocalExecutor(store, EndingsDisplay(print)) as local, ThreadPoolExecutor() as pool:
        killing = pool.submit(kill_the_first)
        records = local.run(trials, options)
        killing.result()
    states = [record.result.state for record in records if record.result]
    assert states == ["crashed", "budget"]
    assert not verify_store(store).findings
