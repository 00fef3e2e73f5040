"""What keeps trials from a GPU is said in one line, with what to do, before anything is planned."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.core.errors import HarnessError
from harness.machine import gpu_checks, nvml
from harness.machine.gpu_checks import Needs, ready
from tests.machine.conftest import SetDriver

NEEDS = Needs(framework="torch", wheel_cuda="13.0", memory_gib=40.0, is_compiled=False)


def refusal(device: str = "cuda", **needs: object) -> str:
    with pytest.raises(HarnessError) as error:
        ready(device, Needs(**{**vars(NEEDS), **needs}))
    assert error.value.hint
    assert "\n" not in error.value.message
    return error.value.message


def test_a_gpu_on_which_nothing_is_amiss_is_ready(driver: SetDriver) -> None:
    driver(gpus=2)
    assert ready("cuda:1", NEEDS).uuid == "GPU-1"
    assert ready("cuda", Needs("torch", "12.8", 79.0, is_compiled=False)).uuid == "GPU-0"


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "LIBRARY", "libmissing.so.1")
    assert "no NVIDIA driver" in refusal()


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"init": 18}, "does not answer: nvmlInit_v2 returned 18"),
        ({"gpus": 0}, "there are 0 GPUs"),
        ({"cuda": 12040}, "driver 580.65.06 runs CUDA up to 12.4; the installed torch is built"),
        ({"mode": 3}, "is exclusive"),
        ({"mode": 2}, "is prohibited"),
        ({"processes": 2}, "is busy: 2 processes"),
        ({"use": 60}, "is busy: 60 %"),
        ({"gib": 24}, "has 24.0 GiB of memory; a trial may use 40"),
    ],
)
def test_what_the_driver_says(driver: SetDriver, answers: dict[str, int], words: str) -> None:
    driver(**answers)
    assert words in refusal()


def test_a_wheel_for_processors_alone(driver: SetDriver) -> None:
    assert "the installed jax is CPU-only" in refusal(framework="jax", wheel_cuda=None)


def test_a_number_too_high(driver: SetDriver) -> None:
    assert "--device cuda:9: there are 1 GPUs" in refusal("cuda:9")


def test_no_compiler_where_kernels_are_compiled(
    driver: SetDriver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "gcc is not found" in refusal(is_compiled=True)
    assert ready("cuda", NEEDS)


def test_no_headers_where_kernels_are_compiled(
    driver: SetDriver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    assert "Python.h is not found" in refusal(is_compiled=True)


def test_a_service_that_mixes_processes(driver: SetDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_checks, "is_shared_by_service", lambda: True)
    assert "Multi-Process Service runs" in refusal()


def test_the_service_is_known_by_its_pipe_and_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    assert not gpu_checks.is_shared_by_service()
    (tmp_path / "control").touch()
    assert not gpu_checks.is_shared_by_service(), "a pipe that was left behind"
    service = tmp_path / "nvidia-cuda-mps-control"
    service.symlink_to(sys.executable)
    command = [str(service), "-c", "print(flush=True); input()"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()  # by now it has its name
        assert gpu_checks.is_shared_by_service()
        process.kill()


@pytest.mark.parametrize("command", ["run --submission muon", "calibrate"])
def test_a_command_is_refused_before_it_plans(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: str,
) -> None:
    monkeypatch.setattr(nvml, "LIBRARY", "libmissing.so.1")
    monkeypatch.chdir(tmp_path)
    words = f"harness {command} --workload mlp --device cuda --out records"
    monkeypatch.setattr("sys.argv", words.split())
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "error: no NVIDIA driver" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
