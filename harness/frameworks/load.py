"""Load a framework's backends by its name."""

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
    """A framework's backend for the referee; imports the framework.

    Args:
        framework: its name, such as `torch`.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: the number of CPU threads that one operation may use.
    """
    return _backends(framework).evaluation(device, threads)


# Which array it is, only the name says, when the program runs: hence `Any`, here and nowhere else.
def training_backend(
    framework: str, device: str, threads: int, place: Place = ALONE
) -> TrainingBackend[Any]:
    """A framework's backend for the worker; imports the framework.

    Args:
        framework: its name, such as `torch`.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: the number of CPU threads that one operation of one device may use.
        place: this process's rank, and the number of training devices.

    Raises:
        HarnessError: the framework does not support training on several devices.
    """
    if place.world_size == 1:
        return _backends(framework).training(device, threads)
    parallel = parallel_of(framework)
    if parallel is None:
        raise HarnessError(f"{framework} trains on one device", "leave out --devices")
    return parallel.training(device, threads, place)


def has_ranks(framework: str, devices: int) -> bool:
    """Whether each of these devices has its own process (rank)."""
    parallel = parallel_of(framework) if devices > 1 else None
    return parallel is not None and parallel.has_processes


def parallel_of(framework: str) -> Parallel[Any] | None:
    """A framework's multi-device training, None if unsupported; imports the framework."""
    return _backends(framework).parallel


def diagnostics_of(framework: str) -> tuple[str, ...]:
    """The members of `SECOND_ORDER` that a framework computes; imports the framework."""
    return _backends(framework).diagnostics


def cuda_of_wheel(framework: str) -> str | None:
    """The CUDA version of a framework's installed wheel; imports the framework."""
    return _backends(framework).cuda()


def preload(framework: str) -> None:
    """Import a framework and its `preloads`, without running anything on a device."""
    for name in _backends(framework).preloads:
        importlib.import_module(name)


def _backends(framework: str) -> Backends[Any]:
    limit_spinning()
    backends: Backends[Any] = FRAMEWORKS.load(framework)
    return backends
