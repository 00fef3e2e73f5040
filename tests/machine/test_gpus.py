"""Which GPU a name means, what is recorded of it, and that two trials never share one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.frameworks.load import training_backend
from harness.machine import gpus, nvml
from harness.machine.gpu import GpuState
from harness.machine.hardware import hardware
from tests.machine.conftest import SetDriver

HOLD = """
import sys
from harness.machine import gpus, nvml
nvml.LIBRARY = sys.argv[1]
with gpus.claim("cuda:0"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("visible", "device", "uuid"),
    [
        (None, "cuda", "GPU-0"),
        (None, "cuda:2", "GPU-2"),
        ("1,2", "cuda:0", "GPU-1"),
        ("GPU-2,0", "cuda:1", "GPU-0"),
        ("2", "cuda", "GPU-2"),
    ],
)
def test_a_name_counts_the_gpus_that_are_shown(
    driver: SetDriver, monkeypatch: pytest.MonkeyPatch, visible: str | None, device: str, uuid: str
) -> None:
    driver(gpus=3)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    gpu = gpus.find(device)
    assert gpu is not None
    assert gpu.uuid == uuid


def test_a_chosen_gpu_is_the_only_one_and_keeps_its_name(
    driver: SetDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver(gpus=3)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,2")
    for device in ("cuda:1", "cuda:0", "cuda"):
        gpu = gpus.find(device)
        assert gpu is not None
        assert gpus.show_only(gpu) == "cuda:0"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-2"


def test_a_number_too_high_is_refused_with_those_that_there_are(driver: SetDriver) -> None:
    driver(gpus=1)
    with nvml.open_library() as library, pytest.raises(HarnessError) as refusal:
        gpus.choose("cuda:9", library.gpus())
    assert "there are 1 GPUs" in refusal.value.message
    assert "cuda:0 (NVIDIA H100 80GB HBM3)" in refusal.value.hint


def test_a_divided_gpu_is_told_from_a_whole_one(driver: SetDriver) -> None:
    whole = hardware("cuda:0")
    driver(parts=2)
    part = hardware("cuda:1")
    assert whole.graphics is not None
    assert part.graphics is not None
    assert (whole.graphics.is_part, part.graphics.is_part) == (False, True)
    assert (whole.graphics.power_limit_w, part.graphics.power_limit_w) == (700, 700)
    assert len({whole.fingerprint, part.fingerprint, hardware("cpu").fingerprint}) == 3


def test_two_gpus_alike_have_one_fingerprint(driver: SetDriver) -> None:
    driver(gpus=2)
    assert hardware("cuda:0").fingerprint == hardware("cuda:1").fingerprint


def test_a_state_has_what_the_driver_supports(driver: SetDriver) -> None:
    driver(reasons=0x40, use=-1)
    assert gpus.state("cuda:0") == GpuState(
        name="NVIDIA H100 80GB HBM3",
        temperature_c=45,
        clock_mhz=1980,
        throttle_reasons=0x40,
        use_percent=None,
        power_w=68,
        memory_mib=1024,
    )


def test_jax_may_reserve_what_is_free_but_for_a_spare(
    driver: SetDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "XLA_PYTHON_CLIENT_MEM_FRACTION"
    monkeypatch.setenv(name, "unset")
    driver(gib=80)  # of which one is in use
    training_backend("jax", "cuda:0", 1)
    assert os.environ[name] == f"{74 / 80:.3f}"
    monkeypatch.setenv(name, "unset")
    training_backend("jax", "cpu", 1)
    assert os.environ[name] == "unset"


def test_a_gpu_is_one_trials_until_that_is_killed(driver: SetDriver, library: Path) -> None:
    driver(gpus=2)
    command = [sys.executable, "-c", HOLD, str(library)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as other:  # type: ignore[call-overload]
        other.stdout.readline()
        refused = pytest.raises(HarnessError, match="another trial runs on")
        with gpus.claim("cuda:1"), refused, gpus.claim("cuda:0"):
            pass
        other.kill()
    with gpus.claim("cuda:0"):
        pass


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "LIBRARY", "libmissing.so.1")
    assert gpus.find("cuda:0") is None
    assert hardware("cuda:0").accelerator is None


@pytest.mark.gpu
def test_on_a_gpu_the_driver_and_torch_mean_the_same_card(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu = gpus.find("cuda")
    assert gpu is not None
    code = "import torch; print(torch.cuda.get_device_properties(0).uuid)"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpu.uuid)
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() in gpu.uuid
