"""The backends of a framework: the one place that chooses between them."""

from __future__ import annotations

from typing import Any

from harness.core.errors import UnknownNameError
from harness.frameworks.base import Backends, EvaluationBackend, TrainingBackend
from harness.machine.variables import limit_spinning

FRAMEWORKS = ("torch", "jax")


def evaluation_backend(framework: str, device: str, threads: int) -> EvaluationBackend:
    """What a framework does for the referee; imports the framework.

    Args:
        framework: `torch` or `jax`.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: how many CPU threads one operation may use.
    """
    return _backends(framework).evaluation(device, threads)


# Which array it is, only the name says, when the program runs: hence `Any`, here and nowhere else.
def training_backend(framework: str, device: str, threads: int) -> TrainingBackend[Any]:
    """What a framework does for the worker; imports the framework.

    Args:
        framework: `torch` or `jax`.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: how many CPU threads one operation may use.
    """
    return _backends(framework).training(device, threads)


def _backends(framework: str) -> Backends[Any]:
    limit_spinning()
    if framework == "torch":
        from harness.frameworks.torch import backends as torch_backends

        return torch_backends.BACKENDS
    if framework == "jax":
        from harness.frameworks.jax import backends as jax_backends

        return jax_backends.BACKENDS
    raise UnknownNameError("framework", framework, FRAMEWORKS)
