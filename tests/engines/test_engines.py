"""What executors of other machines decide without an engine."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.display.endings import EndingsDisplay
from harness.execution.base import Resources, RunOptions
from harness.execution.load import executor
from harness.execution.ray.executor import RayExecutor
from harness.execution.ray.nodes import (
    Node,
    Survey,
    check_versions,
    most_common,
    one_per_machine,
    suitable,
)
from harness.execution.ray.shipping import Shipment, check_shippable, discard, run_shipment
from harness.execution.remote import (
    REFEREE_GIB,
    Outcome,
    outcome_of,
    resources_of,
    trial_command,
)
from harness.execution.slurm.profile import SlurmProfile
from harness.execution.slurm.queue import hint
from harness.execution.slurm.tries import Tries
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Branch
from harness.record.ledger import Ledger
from harness.record.store import is_held, lock_trial
from harness.runs.remote import prepare_there
from harness.verification.store import verify_store
from tests.record.conftest import SampleStore

SILENT = EndingsDisplay(lambda _: None)
TIMED = Resources(cores=2, gpus=0, memory_gib=12.0, is_timed=True)
COUNTED = Resources(cores=2, gpus=0, memory_gib=12.0, is_timed=False)
ON_GPU = Resources(cores=4, gpus=1, memory_gib=12.0, is_timed=True)


@pytest.mark.parametrize("name", ["local", "pool"])
def test_a_profile_is_refused_by_executors_of_this_machine(name: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=f"executor '{name}' takes no profile"):
        executor(name, tmp_path, SILENT, profile=tmp_path / "site.toml")


@pytest.mark.parametrize(("name", "key"), [("slurm", "partitions"), ("ray", "adress")])
def test_a_key_that_a_profile_does_not_have_is_named(name: str, key: str, tmp_path: Path) -> None:
    profile = tmp_path / "profile.toml"
    profile.write_text(f"{key} = 'a'\n")
    with pytest.raises(HarnessError, match=f"key '{key}' is not known"):
        executor(name, tmp_path, SILENT, profile=profile)


@pytest.mark.parametrize(("name", "package"), [("slurm", "submitit"), ("ray", "ray")])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with (
        pytest.raises(HarnessError, match=f"needs the package {package}") as error,
        executor(name, tmp_path, SILENT),
    ):
        pass
    assert error.value.hint == f"pip install 'guided-descent[{name}]'"


@pytest.mark.parametrize("name", ["slurm", "ray"])
def test_how_many_run_at_once_is_not_a_number_of_jobs(name: str, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="does not accept --jobs"):
        executor(name, tmp_path, SILENT, jobs=2)


def test_slurm_gives_a_timed_trial_on_processors_its_node_alone() -> None:
    profile = SlurmProfile(gpu_type="h100")
    assert profile.request(TIMED)["exclusive"] is True
    assert "exclusive" not in profile.request(COUNTED)
    on_gpu = profile.request(ON_GPU)
    assert (on_gpu["gres"], on_gpu["cpus_per_task"]) == ("gpu:h100:1", 4)
    assert "exclusive" not in on_gpu


@pytest.mark.parametrize("devices", [1, 2])
def test_a_trial_asks_for_the_cores_and_the_memory_of_all_its_devices(devices: int) -> None:
    trials = plan(PlanRequest("mlp", "adamw", trials=1, devices=devices)).trials
    need = resources_of(trials, RunOptions(threads=3))
    worker_gib = trials[0].limits.memory_gib
    assert (need.cores, need.memory_gib) == (3 * devices, worker_gib * devices + REFEREE_GIB)
    parameters = SlurmProfile().request(need)
    assert (parameters["cpus_per_task"], parameters["mem"]) == (
        need.cores,
        f"{need.memory_gib * 1024:.0f}M",
    )
    node = Node("n", cpus=8.0, gpus=0.0, kinds=frozenset())
    assert node.task_resources(replace(need, is_timed=False))["num_cpus"] == need.cores
    assert Node("n", cpus=need.cores - 1.0, gpus=0.0, kinds=frozenset()).slots(need) == 0


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("sinfo: fatal: Could not establish a configuration source", "SLURM_CONF"),
        ("slurm_load_partitions: Unable to contact slurm controller", "scontrol ping"),
        ("Munge encode failed; slurm_load_partitions: authentication error", "munge -n"),
        ("Job violates accounting/QOS policy (job submit limit, ...)", "squeue --me"),
        ("Invalid account or account/partition combination specified", "sacctmgr"),
        ("invalid partition specified: gpus", "sinfo -s"),
    ],
)
def test_an_error_of_slurms_has_its_own_advice(error: str, advice: str) -> None:
    assert advice in hint(error)


def test_a_trial_that_begins_where_another_ended_is_not_shipped() -> None:
    (trial,) = plan(PlanRequest("mlp", "adamw", trials=1)).trials
    trunk = trial.model_copy(update={"keeps_end": True})
    check_shippable([trial, trunk])
    branch = trial.model_copy(update={"branch": Branch(trunk=trunk)})
    with pytest.raises(HarnessError, match=r"mlp/.* starts from"):
        check_shippable([trial, branch])


def test_ray_gives_a_timed_trial_on_processors_its_node_alone() -> None:
    node = Node("n", cpus=8.0, gpus=2.0, kinds=frozenset())
    assert (node.slots(TIMED), node.task_resources(TIMED)["num_cpus"]) == (1, 8.0)
    assert (node.slots(COUNTED), node.task_resources(COUNTED)["num_cpus"]) == (4, 2)
    assert (node.slots(ON_GPU), node.task_resources(ON_GPU)) == (2, {"num_cpus": 4, "num_gpus": 1})


def test_a_cluster_without_gpus_is_refused_with_what_it_has() -> None:
    nodes = [{"NodeID": "n", "Alive": True, "Resources": {"CPU": 8.0}}]
    with pytest.raises(HarnessError, match=r"4 CPUs and a GPU that .*: 8 CPUs and 0 GPUs"):
        suitable(nodes, ON_GPU, None)


def test_nodes_of_one_kind_run_the_trials_and_of_one_version() -> None:
    surveys = [Survey(host, host, kind, "1") for host, kind in ("ax", "by", "cy")]
    assert most_common(surveys) == "y"
    with pytest.raises(HarnessError, match="a has another version of the harness"):
        check_versions(surveys)


def test_a_machine_runs_timed_trials_on_one_of_its_nodes() -> None:
    nodes = [Node(name, cpus=2.0, gpus=0.0, kinds=frozenset()) for name in "abc"]
    machines = {"a": "m", "b": "m", "c": "n"}
    surveys = {node: Survey(node, machine, "x", "1") for node, machine in machines.items()}
    assert [node.id for node in one_per_machine(nodes, surveys)] == ["a", "c"]


def test_workloads_for_different_devices_are_refused_before_a_machine_is_asked(
    tmp_path: Path,
) -> None:
    on_cpu = PlanRequest("mlp", "adamw", suite="standard")
    on_gpu = replace(on_cpu, workload="resnet", device="cuda:0")
    with pytest.raises(HarnessError, match=r"mlp on cpu; resnet on cuda:0") as error:
        prepare_there([on_cpu, on_gpu], RunOptions(), [], RayExecutor(tmp_path, SILENT), print)
    assert error.value.hint == "one command for each: --workload mlp; --workload resnet"


def test_a_users_error_travels_with_its_hint() -> None:
    def refuse() -> int:
        raise HarnessError("what is wrong", "what to do")

    assert outcome_of(len, [1, 2]) == Outcome(2)
    with pytest.raises(HarnessError) as error:
        outcome_of(refuse).result()
    assert (error.value.message, error.value.hint) == ("what is wrong", "what to do")


def test_a_trial_is_given_up_only_if_it_came_no_further(tmp_path: Path) -> None:
    (trial,) = plan(PlanRequest("mlp", "adamw", trials=1)).trials
    tries, log = Tries(tmp_path, most=2), tmp_path / trial.folder / "events.jsonl"
    for _ in range(2):
        assert not tries.are_over(trial)
        tries.count(trial)
    assert tries.are_over(trial)
    log.parent.mkdir(parents=True)
    log.write_text('{"data":{},"kind":"checkpoint"}\n')
    assert not tries.are_over(trial)


def test_a_trials_command_says_all_that_decides_how_it_runs(tmp_path: Path) -> None:
    (trial,) = plan(PlanRequest("mlp", "adamw", trials=1)).trials
    options = RunOptions("kernel", tmp_path / "data", tmp_path / "cache", 4, 30.0, "abc")
    command = trial_command(trial, tmp_path, options)
    assert command[:2] == ("trial", str(tmp_path / trial.folder / "trial.json"))
    flags = dict(zip(command[2::2], command[3::2], strict=True))
    assert flags == {
        "--store": str(tmp_path), "--sandbox": "kernel", "--threads": "4",
        "--checkpoint-every": "30.0", "--data-dir": str(tmp_path / "data"),
        "--cache-dir": str(tmp_path / "cache"), "--hardware": "abc",
    }  # fmt: skip


def test_a_trial_that_was_shipped_fits_the_store_that_it_comes_to(tmp_path: Path) -> None:
    sample, here = SampleStore(tmp_path / "node"), tmp_path / "here"
    Ledger(here).plan([sample.trial])
    shipment = Shipment.of(sample.trial, here, Ledger(here))
    back = Shipment.of(sample.trial, sample.store, Ledger(sample.store))
    back.take_back(here, Ledger(here), shipment)
    assert not verify_store(here).findings
    assert (here / sample.trial.folder / "events.jsonl").read_bytes() == sample.log.read_bytes()


def test_a_trial_that_cannot_be_written_at_home_has_not_ended_there(tmp_path: Path) -> None:
    sample, here = SampleStore(tmp_path / "node"), tmp_path / "here"
    Ledger(here).plan([sample.trial])
    shipment = Shipment.of(sample.trial, here, Ledger(here))
    back = Shipment.of(sample.trial, sample.store, Ledger(sample.store))
    (obstacle := here / sample.trial.folder / "events.jsonl").mkdir(parents=True)
    with pytest.raises(HarnessError, match=r"cannot write .*events\.jsonl"):
        back.take_back(here, Ledger(here), shipment)
    obstacle.rmdir()
    assert Ledger(here).attempts(sample.trial.identity) == 1
    assert Ledger(here).end_of(sample.trial.identity) is None
    assert not (here / sample.trial.folder / "trial.json").exists()


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX's, if another test imported it
def test_a_node_keeps_a_trial_until_it_is_told_to_discard_it(tmp_path: Path) -> None:
    sample = SampleStore(tmp_path / "node")  # it has ended, so there is nothing left to train
    shipment = Shipment.of(sample.trial, sample.store, Ledger(sample.store))
    back = run_shipment(shipment, RunOptions())
    events = Path(back.node_folder) / "store" / sample.trial.folder / "events.jsonl"
    assert events.read_bytes() == sample.log.read_bytes()
    discard(back.node_folder)
    assert not Path(back.node_folder).exists()


def test_a_trial_is_held_while_a_process_runs_it(tmp_path: Path) -> None:
    assert not is_held(tmp_path)
    with lock_trial(tmp_path):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
