"""Finds the GPU of a device name, and claims it for one trial.

`cuda:N` is the N-th GPU visible to this process, in the order of `nvidia-smi`. CUDA by default
lists the fastest first, so referee and worker could count differently. Both are therefore
restricted to this one GPU by its UUID, under the name `cuda:0`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from harness.core.errors import HarnessError
from harness.machine import nvml
from harness.machine.gpu import Gpu, GpuState

DEVICE = "cuda:0"
"""The name of the chosen GPU once it is the only visible one."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
_CLAIM = "guided-descent-gpu-"


def choose(device: str, gpus: Sequence[Gpu]) -> Gpu:
    """Find the GPU of a name.

    Args:
        device: `cuda` or `cuda:N`.
        gpus: the machine's GPUs.

    Raises:
        HarnessError: there are fewer.
    """
    visible_gpus, number = visible(gpus), int(device.partition(":")[2] or 0)
    if number < len(visible_gpus):
        return visible_gpus[number]
    if not visible_gpus and gpus:
        raise HarnessError(
            f"{VISIBLE} is {os.environ.get(VISIBLE)!r}, which hides all {len(gpus)} GPUs",
            f"unset it, or name one as nvidia-smi -L does: {gpus[0].uuid}",
        )
    names = (
        ", ".join(f"cuda:{index} ({gpu.name})" for index, gpu in enumerate(visible_gpus)) or "cpu"
    )
    raise HarnessError(f"--device {device}: there are {len(visible_gpus)} GPUs", f"known: {names}")


def visible(gpus: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """The GPUs in CUDA_VISIBLE_DEVICES, in its order; it lists numbers or prefixes of UUIDs.

    CUDA ignores everything from the first invalid entry on.
    """
    if VISIBLE not in os.environ:
        return tuple(gpus)
    visible_gpus = list[Gpu]()
    for name in filter(None, os.environ[VISIBLE].replace(" ", "").split(",")):
        if name.isdecimal():
            matches = list(gpus[int(name) : int(name) + 1])
        else:
            matches = [gpu for gpu in gpus if gpu.uuid.startswith(name)]
        if len(matches) != 1:
            break
        visible_gpus += matches
    return tuple(visible_gpus)


def show_only(gpu: Gpu) -> str:
    """Restrict this process and its children to one GPU; returns the GPU's name there."""
    os.environ[VISIBLE] = gpu.uuid
    return DEVICE


def find(device: str) -> Gpu | None:
    """Find the GPU of a name; None without a driver, or if there is none."""
    try:
        with nvml.open_library() as driver:
            return choose(device, driver.gpus())
    except (HarnessError, nvml.NvmlError):
        return None


def state(device: str) -> GpuState | None:
    """The current state of a GPU; None where `find` gives None."""
    if (gpu := find(device)) is None:
        return None
    try:
        with nvml.open_library() as driver:
            return driver.state(gpu.uuid)
    except (HarnessError, nvml.NvmlError):
        return None


def free_fraction(device: str, spare_bytes: int) -> float | None:
    """The free fraction of a GPU's memory, minus a reserve; None where `find` gives None."""
    if (gpu := find(device)) is None:
        return None
    try:
        with nvml.open_library() as driver:
            free_bytes = driver.free_bytes(gpu.uuid)
    except (HarnessError, nvml.NvmlError):
        return None
    return max(0, free_bytes - spare_bytes) / gpu.memory_bytes


@contextmanager
def claim(device: str) -> Iterator[None]:
    """Claim a GPU for one trial; the kernel releases the claim when this process ends in any way.

    Raises:
        HarnessError: another trial on this machine has claimed it.
    """
    if (gpu := find(device)) is None:
        yield
        return
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(f"\0{_CLAIM}{gpu.uuid}")
    except OSError as error:
        holder.close()
        raise HarnessError(
            f"another trial runs on {device}, {gpu.name} ({gpu.uuid}); only one may be timed",
            "wait for it to finish, or use another GPU: --device cuda:1",
        ) from error
    with holder:
        yield
