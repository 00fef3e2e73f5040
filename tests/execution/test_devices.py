"""Trials on several devices: equal to those on one, ended and frozen as one, refused by name."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.execution.devices import check_devices
from harness.execution.rehearsal import rehearsal
from harness.execution.resolved import hello_of, resolve_trial
from harness.machine.processes import threads_of
from harness.plan.plan import PlanRequest
from harness.protocol.messages import Ready, Warm, WarmUp
from harness.protocol.slot import Slot
from harness.providers.table import SANDBOXES
from harness.record.tables import results_frame
from harness.sandboxes.kernel.sandbox import layers
from harness.sandboxes.plain import PlainSandbox, PlainWorkerProcess
from harness.sandboxes.suspension import members
from tests.devices_kit import KNOCKING, Bench, assert_same_curves, trial_on
from tests.kit import space, write_submission


@pytest.fixture
def bench(tmp_path: Path, data_cache: Path) -> Bench:
    return Bench(tmp_path, data_cache)


@pytest.mark.parametrize(
    ("framework", "submission", "devices"),
    [
        ("torch", "adamw", 2),
        ("torch", "adamw", 4),
        ("torch", "muon", 2),
        ("torch", "shampoo", 2),
        ("jax", "adamw", 2),
        ("jax", "adamw", 4),
    ],
)
def test_its_losses_are_those_on_one_device(
    bench: Bench, framework: str, submission: str, devices: int
) -> None:
    one, several = (trial_on(count, submission, framework) for count in (1, devices))
    assert_same_curves(bench, one, several)
    assert set(results_frame(bench.store)["devices"]) == {1, devices}


@pytest.mark.nightly
def test_lbfgs_in_jax_has_its_parameters_on_every_device(bench: Bench) -> None:
    """Its later losses are not those on one device: a search is sensitive to rounding."""
    losses = []
    for devices in (1, 2):
        result = bench.run(trial := trial_on(devices, "lbfgs", "jax"))
        assert result.state == "budget", result.reason
        losses.append(bench.curve(trial)[0][:2])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def is_offered(*names: str) -> bool:
    """Whether this kernel gives a worker these layers."""
    return set(names) <= {layer.name for layer in layers() if layer.is_active}


@pytest.mark.skipif(not is_offered("network"), reason="no network of its own here")
def test_under_the_kernels_sandbox_as_well(tmp_path: Path, data_cache: Path) -> None:
    bench = Bench(tmp_path, data_cache, "kernel")
    assert_same_curves(bench, trial_on(1, "adamw"), trial_on(2, "adamw"))


@pytest.mark.skipif(not is_offered("network", "seccomp"), reason="no own network or filter here")
def test_once_the_ranks_have_met_the_kernels_sandbox_refuses_sockets(
    tmp_path: Path, data_cache: Path
) -> None:
    bench = Bench(tmp_path, data_cache, "kernel")
    trial = trial_on(2, str(write_submission(tmp_path / "mine", KNOCKING, space())))
    assert bench.run(trial).state == "budget"
    words = (bench.store / trial.folder / "worker.log").read_text().split()
    assert words.count("refused") == 32  # two ranks, set up twice, two threads, four families
    assert "open" not in words


FAILING = """
import os, socket
import numpy as np
import torch

class Failing(torch.optim.SGD):
    steps = 0
    def step(self, closure=None):
        self.steps += 1
        if self.steps == 5 and self.rank in {ranks}:
            {act}
        return super().step(closure)

def build(problem, hyperparameters):
    print("process", os.getpid(), flush=True)
    optimizer = Failing(problem.parameters.values(), lr=0.1)
    optimizer.rank = problem.ranks.rank
    return optimizer
"""


@pytest.mark.parametrize(
    ("act", "state", "reason"),
    [
        ("os.kill(os.getpid(), 9)", "crashed", "rank 2: killed by SIGKILL"),
        ("raise RuntimeError('no such luck')", "crashed", r"rank 2: .*no such luck.*submission.py"),
        ("self.hoard = np.ones(2**31)", "out_of_memory", "rank 2: .*allocate"),
        ("os._exit(3)", "crashed", "rank 2: it exited with status 3"),
    ],
)
def test_a_lost_rank_ends_the_trial_by_name_and_the_others_are_killed(
    bench: Bench, act: str, state: str, reason: str
) -> None:
    source = FAILING.format(ranks=[2], act=act)
    folder = write_submission(bench.folder / "mine", source, space())
    trial = trial_on(4, str(folder))
    limits = trial.limits.model_copy(update={"memory_gib": 4.0})
    trial = trial.model_copy(update={"limits": limits})
    result = bench.run(trial)
    assert result.state == state
    assert re.search(reason, result.reason), result.reason
    log = (bench.store / trial.folder / "worker.log").read_text()
    pids = {int(pid) for pid in re.findall(r"process (\d+)", log)}
    assert len(pids) == 4
    assert not any(is_alive(pid) for pid in pids)


def is_alive(pid: int) -> bool:
    return not all(thread.has_ended for thread in threads_of(pid))


@pytest.mark.parametrize(("ranks", "whose"), [([0], "rank 0: "), ([0, 1], "")])
def test_an_error_that_every_rank_meets_with_is_nobodys_own(
    bench: Bench, ranks: list[int], whose: str
) -> None:
    source = FAILING.format(ranks=ranks, act="raise RuntimeError('no such luck')")
    folder = write_submission(bench.folder / "mine", source, space())
    assert bench.run(trial_on(2, str(folder))).reason.startswith(f"{whose}RuntimeError: no such")


def test_the_clock_is_the_slowest_ranks(bench: Bench) -> None:
    source = FAILING.format(ranks=[1], act="import time; time.sleep(2.0)")
    folder = write_submission(bench.folder / "mine", source, space())
    trial = trial_on(2, str(folder))
    budget = trial.budget.model_copy(update={"steps": 5})
    assert bench.run(trial.model_copy(update={"budget": budget})).timed_s > 2.0


def test_a_freeze_stops_every_rank(bench: Bench) -> None:
    resolved = resolve_trial(trial_on(4, "adamw"), bench.options)
    with (
        rehearsal(resolved, bench.options) as (rehearsed, copy),
        closing(Slot(resolved.shapes)) as slot,
    ):
        assert isinstance(rehearsed.begin(hello_of(resolved, copy, 1), slot), Ready)
        worker = rehearsed.worker
        assert isinstance(worker, PlainWorkerProcess)
        assert worker.freeze()
        threads = [threads_of(pid) for pid in members(worker.pid)]
        assert len(threads) == 4
        assert all(thread.is_stopped for of_process in threads for thread in of_process)
        assert worker.has_stayed_frozen()
        worker.thaw()
        assert isinstance(rehearsed.ask(WarmUp(cap_s=20.0), 60.0), Warm)
        assert worker.use().cpu_s > 0.0


REQUEST = PlanRequest("mlp", "adamw", devices=2)
OPTIONS = RunOptions(threads=1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"devices": 0}, r"--devices 0 must be at least 1"),
        ({"devices": 3}, r"1024 examples, which cannot be divided.*allowed.*1, 2, 4"),
        ({"devices": 16}, r"16 cores; there are 4.*up to 4 devices"),
        ({"device": "cuda:0"}, r"have one GPU each"),
        ({"submission": "algoperf:somewhere"}, r"AlgoPerf train on one device"),
        ({"workload": "rnn", "suite": "standard"}, r"dropout.*--framework jax"),
    ],
)
def test_a_wrong_number_is_refused_with_what_to_do(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(HarnessError, match=f"(?s){words}"):
        check_devices(replace(REQUEST, **changes), OPTIONS, cores=4)


def test_more_threads_than_cores_are_refused() -> None:
    with pytest.raises(HarnessError, match=r"(?s)8 cores; there are 4.*--threads 2"):
        check_devices(REQUEST, replace(OPTIONS, threads=4), cores=4)


class Loopless(PlainSandbox):
    """One of another package, which does not say that its workers have a loopback."""

    has_ranks = False


def test_a_sandbox_without_a_loopback_is_refused_for_processes_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(SANDBOXES.shipped_values, "loopless", f"{__name__}:Loopless")
    options = replace(OPTIONS, sandbox="loopless")
    with pytest.raises(HarnessError, match=r"(?s)sandbox loopless refuses.*--sandbox plain"):
        check_devices(REQUEST, options, cores=4)
    check_devices(replace(REQUEST, framework="jax"), options, cores=4)


@pytest.mark.parametrize("devices", [1, 2, 4])
def test_what_fits_is_not_refused(devices: int) -> None:
    check_devices(replace(REQUEST, devices=devices), OPTIONS, cores=4)
