"""`harness run --executor slurm` from flags to a score, and what it refuses before any trial."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from harness.core.errors import HarnessError
from harness.execution.slurm.queue import length
from tests.kit import assert_quick_study

from .conftest import LIMITS, Site

pytestmark = pytest.mark.slurm
RUN = ("run", "--workload", "mlp", "--submission", "adamw", "--executor", "slurm")


def command(site: Site, *words: str) -> subprocess.CompletedProcess[str]:
    flags = ("--profile", str(site.profile), "--out", str(site.store))
    environment = os.environ | {"XDG_CACHE_HOME": str(site.options.cache_dir)}
    return subprocess.run(
        [sys.executable, "-m", "harness", *RUN, *flags, *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_quick_mlp_study_is_planned_on_a_node_and_runs_there(site: Site) -> None:
    process = command(site, "--json")
    assert_quick_study(process)
    assert "the machines:" in process.stderr
    assert len(site.arrays()) == 1
    assert not site.calls.exists()


def refusal(site: Site, *profile: str, device: str = "cpu") -> HarnessError:
    """What the first trial of a plan is refused with."""
    site.write_profile(*profile)
    trials = [trial.model_copy(update={"device": device}) for trial in site.trials(1, steps=20)]
    with pytest.raises(HarnessError) as error, site.executor() as executor:
        executor.run(trials, site.options)
    assert not list(site.store.rglob("events.jsonl"))
    return error.value


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("partition = 'gpus'", "invalid partition specified: gpus", "'partition'"),
        ("constraint = 'infiniband'", "Invalid feature specification", "'constraint'"),
        ("memory_gib = 4000", "node configuration is not available", "'memory_gib'"),
    ],
)
def test_what_the_site_does_not_have_is_named_before_any_trial(
    site: Site, line: str, message: str, hint: str
) -> None:
    error = refusal(site, line)
    assert message in error.message
    assert hint in error.hint


def test_a_cluster_without_the_suites_gpus_is_named_before_any_trial(site: Site) -> None:
    error = refusal(site, "gpu_type = 'h100'", device="cuda:0")
    assert "Invalid generic resource" in error.message
    assert "'gpu_type'" in error.hint


def test_a_task_that_would_wait_for_ever_is_named_and_cancelled(site: Site) -> None:
    error = refusal(site, "time_min = 6000")
    assert "will never start: PartitionTimeLimit" in error.message
    assert "'time_min'" in error.hint
    assert not site.cluster.ask("squeue", "-h").strip()


def test_a_full_queue_is_named_before_any_trial(site: Site) -> None:
    while (free := LIMITS["MaxJobCount"] - 1 - length()) > 0:
        several = ["--array=0-2"] if free > 3 else []
        site.cluster.ask("sbatch", "--hold", *several, "--wrap=true", "-o", "/dev/null")
    assert "the queue is full: it holds" in refusal(site).message


def test_a_controller_that_does_not_answer_is_named(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = site.cluster.conf.read_text()
    dead = site.profile.with_name("dead.conf")
    port = next(line for line in conf.splitlines() if line.startswith("SlurmctldPort"))
    dead.write_text(conf.replace(port, "SlurmctldPort=1") + "MessageTimeout=2\n")
    monkeypatch.setenv("SLURM_CONF", str(dead))
    with pytest.raises(HarnessError, match="contact") as error:
        site.executor()
    assert "scontrol ping" in error.value.hint


def test_missing_credentials_are_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = site.profile.with_name("keyless.conf")
    socket = f"socket={site.cluster.folder}/munge/socket"
    conf.write_text(site.cluster.conf.read_text().replace(socket, "socket=/nowhere"))
    monkeypatch.setenv("SLURM_CONF", str(conf))
    with pytest.raises(HarnessError, match=r"(?i)munge") as error:
        site.executor()
    assert "munge -n" in error.value.hint


def test_more_devices_than_a_node_has_cores_are_named_before_any_trial(site: Site) -> None:
    process = command(site, "--devices", "8", "--threads", "1")
    assert process.returncode != 0
    assert "node configuration is not available" in process.stderr
    assert "--devices" in process.stderr
    assert not site.store.exists()


def test_a_dry_run_queues_nothing(site: Site) -> None:
    process = command(site, "--dry-run")
    assert "3 trials, 3 to run" in process.stdout
    assert not site.store.exists()
