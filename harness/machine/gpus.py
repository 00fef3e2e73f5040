"""Which GPU a device's name means, and that a trial has it for itself.

`cuda:N` is the N-th GPU that this process may use, in the order of `nvidia-smi`. CUDA itself counts
the fastest first, and referee and worker might count differently: so both are shown this one GPU
alone, by its own number (UUID), under the name `cuda:0`.
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
"""What the chosen GPU is called once it is the only one that is shown."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
_CLAIM = "guided-descent-gpu-"


def choose(device: str, gpus: Sequence[Gpu]) -> Gpu:
    """The GPU that a name means.

    Args:
        device: `cuda` or `cuda:N`.
        gpus: what the machine has.

    Raises:
        HarnessError: there are not so many.
    """
    visible_gpus, number = visible(gpus), int(device.partition(":")[2] or 0)
    if number < len(visible_gpus):
        return visible_gpus[number]
    if not visible_gpus and gpus:
        raise HarnessError(
            f"{VISIBLE} is {os.environ.get(VISIBLE)!r}, which shows none of {len(gpus)} GPUs",
            f"unset it, or name one as nvidia-smi -L does: {gpus[0].uuid}",
        )
    names = (
        ", ".join(f"cuda:{index} ({gpu.name})" for index, gpu in enumerate(visible_gpus)) or "cpu"
    )
    raise HarnessError(f"--device {device}: there are {len(visible_gpus)} GPUs", f"known: {names}")


def visible(gpus: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """Those that CUDA_VISIBLE_DEVICES shows, in its order; it names numbers or UUIDs' beginnings.

    CUDA reads it up to the first name that means nothing.
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
    """Show this process, and those that it starts, one GPU alone; returns the GPU's name there."""
    os.environ[VISIBLE] = gpu.uuid
    return DEVICE


def find(device: str) -> Gpu | None:
    """The GPU that a name means; None without a driver, or if there is none of this name."""
    try:
        with nvml.open_library() as driver:
            return choose(device, driver.gpus())
    except (HarnessError, nvml.NvmlError):
        return None


def state(device: str) -> GpuState | None:
    """How a GPU does now; None as `find`."""
    if (gpu := find(device)) is None:
        return None
    try:
        with nvml.open_library() as driver:
            return driver.state(gpu.uuid)
    except (HarnessError, nvml.NvmlError):
        return None


def free_fraction(device: str, spare_bytes: int) -> float | None:
    """The part of a GPU's memory that is free but for a spare; None as `find`."""
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
    """Hold a GPU for one trial; the kernel takes the claim back however this process ends.

    Raises:
        HarnessError: another trial of this machine holds it.
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
            f"another trial runs on {device}, {gpu.name} ({gpu.uuid}); on the clock there is one",
            "wait for its end, or name another GPU: --device cuda:1",
        ) from error
    with holder:
        yield
