"""The backends of a framework, by its name."""

from __future__ import annotations

import importlib
from typing import Any

from harness.core.errors import HarnessError
from harness.frameworks.base import (
    ALONE,
    Backends,
    EvaluationBackend,
    Parallel,
    Place,
    TrainingBackend,
)
from harness.machine.variables import limit_spinning
from harness.providers.table import FRAMEWORKS


def evaluation_backend(framework: str, device: str, threads: int) -> EvaluationBackend:
    """What a framework does for the referee; imports the framework.

    Args:
        framework: its name, such as `torch`.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: how many CPU threads one operation may use.
    """
    return _backends(framework).evaluation(device, threads)


# Which array it is, only the name says, when the program runs: hence `Any`, here and nowhere else.
def training_backend(
    framework: str, device: str, threads: int, place: Place = ALONE
) -> TrainingBackend[Any]:
    """What a framework does for the worker; imports the framework.

    Args:
        framework: its name, such as `torch`.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: how many CPU threads one operation of one device may use.
        place: which of the processes that train together this is, and on how many devices.

    Raises:
        HarnessError: the framework does not train on several devices.
    """
    if place.world_size == 1:
        return _backends(framework).training(device, threads)
    parallel = parallel_of(framework)
    if parallel is None:
        raise HarnessError(f"{framework} trains on one device", "leave out --devices")
    return parallel.training(device, threads, place)


def has_ranks(framework: str, devices: int) -> bool:
    """Whether each of these devices has a process of its own, a rank."""
    parallel = parallel_of(framework) if devices > 1 else None
    return parallel is not None and parallel.has_processes


def parallel_of(framework: str) -> Parallel[Any] | None:
    """How a framework trains on several devices, None if it does not; imports the framework."""
    return _backends(framework).parallel


def diagnostics_of(framework: str) -> tuple[str, ...]:
    """Those of `SECOND_ORDER` that a framework computes; imports the framework."""
    return _backends(framework).diagnostics


def cuda_of_wheel(framework: str) -> str | None:
    """The CUDA that a framework's installed wheel is built for; imports the framework."""
    return _backends(framework).cuda()


def preload(framework: str) -> None:
    """Import a framework and what its submissions are slow to import; runs none of it."""
    for name in _backends(framework).preloads:
        importlib.import_module(name)


def _backends(framework: str) -> Backends[Any]:
    limit_spinning()
    backends: Backends[Any] = FRAMEWORKS.load(framework)
    return backends
