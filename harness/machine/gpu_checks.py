"""Checks, before anything is planned, that trials can run on a GPU; each problem is one line."""

from __future__ import annotations

import os
import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HarnessError
from harness.machine import gpus, nvml
from harness.machine.gpu import Gpu
from harness.machine.nvml import Nvml
from harness.machine.processes import pids

BUSY_PERCENT = 5
"""Use of the GPU by other processes below this fraction is not reported."""
_MPS = "nvidia-cuda-mps"


@dataclass(frozen=True)
class Needs:
    """The requirements of what is to run on a GPU."""

    framework: str
    wheel_cuda: str | None
    """The CUDA version of the framework's installed wheel, such as 13.0; None for a CPU wheel."""
    memory_gib: float
    """The memory that a trial may use."""
    is_compiled: bool
    """Whether torch compiles kernels, which requires a C compiler and Python's headers."""


def ready(device: str, needs: Needs) -> Gpu:
    """Check that trials can run and be timed on a GPU, and return it.

    Args:
        device: `cuda` or `cuda:N`.
        needs: the requirements of the trials.

    Raises:
        HarnessError: they cannot; the message says why and what to do.
    """
    with nvml.open_library() as driver:
        try:
            gpu = gpus.choose(device, driver.gpus())
            _check_wheel(driver, needs)
            _check_mode(gpu)
            _check_others(driver, gpu, device)
        except nvml.NvmlError as error:
            raise HarnessError(
                f"the NVIDIA driver does not report the state of {device}: {error}",
                "see what nvidia-smi reports for it",
            ) from error
    _check_memory(gpu, needs)
    if needs.is_compiled:
        _check_compiler()
    return gpu


def _check_wheel(driver: Nvml, needs: Needs) -> None:
    name, built_for = needs.framework, needs.wheel_cuda
    if built_for is None:
        raise HarnessError(
            f"the installed {name} is CPU-only",
            f"install {name} for CUDA, see the README's part on GPUs; or run with --device cpu",
        )
    newest = driver.cuda()
    if int(built_for.partition(".")[0]) > newest[0]:
        raise HarnessError(
            f"driver {driver.driver()} runs CUDA up to {newest[0]}.{newest[1]}; the installed "
            f"{name} is built for {built_for}",
            f"update the driver, or install {name} for CUDA {newest[0]}",
        )


def _check_mode(gpu: Gpu) -> None:
    if gpu.mode != "default":
        raise HarnessError(
            f"the compute mode of {gpu.name} is {gpu.mode}; referee and worker both compute on it",
            f"sudo nvidia-smi --id {gpu.uuid} --compute-mode DEFAULT",
        )
    if is_shared_by_service():
        raise HarnessError(
            "CUDA's Multi-Process Service runs, so the referee cannot tell whether a GPU is busy",
            "stop it: echo quit | nvidia-cuda-mps-control",
        )


def is_shared_by_service() -> bool:
    """Whether the Multi-Process Service runs, under which kernels of several processes overlap."""
    pipe = Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"))
    return (pipe / "control").exists() and any(_is_service(pid) for pid in pids())


def _is_service(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_bytes().startswith(_MPS[:15].encode())
    except OSError:
        return False


def _check_others(driver: Nvml, gpu: Gpu, device: str) -> None:
    others, use = driver.processes(gpu.uuid), driver.state(gpu.uuid).use_percent or 0
    if not others and use <= BUSY_PERCENT:
        return
    who = f"{others} processes compute on it" if others else f"{use} % of it are in use"
    raise HarnessError(
        f"{device}, {gpu.name}, is busy: {who}",
        "nvidia-smi lists them; wait for them to finish, or use another GPU: --device cuda:1",
    )


def _check_memory(gpu: Gpu, needs: Needs) -> None:
    have_gib = gpu.memory_bytes / 2**30
    if have_gib < needs.memory_gib:
        raise HarnessError(
            f"{gpu.name} has {have_gib:.1f} GiB of memory; a trial may use {needs.memory_gib:g}",
            "run on a larger GPU, or a smaller suite: --suite quick",
        )


def _check_compiler() -> None:
    if problem := missing_compiler():
        raise HarnessError(
            f"torch.compile builds kernels with a C compiler and Python's headers; {problem}",
            "on Debian or Ubuntu: sudo apt install gcc python3-dev",
        )


def missing_compiler() -> str:
    """Which of a C compiler and Python's headers is missing; empty if neither is."""
    compiler = os.environ.get("CC") or "gcc"
    if shutil.which(compiler) is None and shutil.which("cc") is None:
        return f"{compiler} is not found"
    header = Path(sysconfig.get_path("include")) / "Python.h"
    return "" if header.is_file() else f"{header} is not found"
