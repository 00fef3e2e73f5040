"""Whole trials on a GPU: how they end, and which card they are on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness.cli.machine import choose_device
from harness.core.errors import HarnessError
from harness.frameworks.jax import backends
from harness.machine import gpus
from harness.providers import registry
from harness.runs.device import ready_device
from tests.machine.conftest import SetDriver

HOG = """
import torch

class Submission:
    def setup(self, problem, hyperparameters):
        self.kept = []

    def step(self, stream):
        stream.next()
        self.kept.append(torch.empty(2**30, dtype=torch.uint8, device="cuda"))
        return 0.0
"""
SPACE = 'summary = "fills the card"\nfamily = "none"\nframeworks = ["torch"]\n[default]\n[space]\n'
STANDARD = registry.workload("lm").at("standard")


def run(out: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    words = f"run --workload mlp --trials 1 --budget-scale 0.1 --out {out}".split()
    command = [sys.executable, "-m", "harness", *words, *flags]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_a_chosen_device_has_one_name_and_is_the_only_one_shown(
    driver: SetDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver(gpus=3)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    device, _ = choose_device("cuda:2", registry.suite("standard").hardware, "suite standard")
    output = list[str]()
    assert ready_device(device, "torch", [STANDARD], output.append) == "cuda:0"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-2"
    assert output == ["cuda:2 is NVIDIA H100 80GB HBM3 (GPU-2)"]
    assert (
        choose_device("cuda", registry.suite("standard").hardware, "suite standard")[0] == "cuda:0"
    )


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_wheels_for_processors_alone_are_refused(
    driver: SetDriver, monkeypatch: pytest.MonkeyPatch, framework: str
) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(backends, "PLUGINS", {})
    driver(gpus=1)
    with pytest.raises(HarnessError, match=f"the installed {framework} is CPU-only"):
        ready_device("cuda:0", framework, [STANDARD], print)


@pytest.mark.gpu
def test_on_a_gpu_whoever_fills_it_is_out_of_memory(tmp_path: Path) -> None:
    hog = tmp_path / "hog"
    hog.mkdir()
    (hog / "submission.py").write_text(HOG)
    (hog / "space.toml").write_text(SPACE)
    process = run(tmp_path / "out", "--device", "cuda", "--submission", str(hog))
    (record,) = (tmp_path / "out").rglob("trial.json")
    assert json.loads(record.read_text())["result"]["state"] == "out_of_memory", process.stderr


@pytest.mark.gpu
@pytest.mark.parametrize("sandbox", ["plain", "kernel"])
@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_on_a_gpu_a_trial_spends_its_budget(tmp_path: Path, framework: str, sandbox: str) -> None:
    flags = ("--framework", framework, "--sandbox", sandbox, "--submission", "adamw")
    process = run(tmp_path / "out", "--device", "cuda", *flags)
    (record,) = (tmp_path / "out").rglob("trial.json")
    assert json.loads(record.read_text())["result"]["state"] in ("budget", "reached"), (
        process.stderr
    )


@pytest.mark.gpu
def test_on_a_gpu_a_claimed_card_is_refused(tmp_path: Path) -> None:
    with gpus.claim("cuda:0"):
        process = run(tmp_path / "out", "--device", "cuda", "--submission", "adamw")
    assert "another trial runs on" in process.stderr
