"""The backends of a framework, by its name."""

from __future__ import annotations

import importlib
from typing import Any

from harness.frameworks.base import Backends, EvaluationBackend, TrainingBackend
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
def training_backend(framework: str, device: str, threads: int) -> TrainingBackend[Any]:
    """What a framework does for the worker; imports the framework.

    Args:
        framework: its name, such as `torch`.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: how many CPU threads one operation may use.
    """
    return _backends(framework).training(device, threads)


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
