"""The backends that the table of frameworks refers to."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from jax import Array

from harness.frameworks.base import Backends, Parallel
from harness.frameworks.jax.evaluation import JaxEvaluationBackend
from harness.frameworks.jax.training import JaxTrainingBackend

PLUGINS = {"jax-cuda13-plugin": "13", "jax-cuda12-plugin": "12"}
"""Jax's CUDA plug-ins: a separate package for each major CUDA version."""


def cuda_of_wheel() -> str | None:
    """The CUDA version of the installed plug-in."""
    return next((cuda for name, cuda in PLUGINS.items() if _is_installed(name)), None)


def _is_installed(package: str) -> bool:
    try:
        return bool(version(package))
    except PackageNotFoundError:
        return False


BACKENDS: Backends[Array] = Backends(
    JaxEvaluationBackend,
    JaxTrainingBackend,
    preloads=("optax",),
    cuda=cuda_of_wheel,
    parallel=Parallel(JaxTrainingBackend, has_processes=False, draws_whole_masks=True),
)
