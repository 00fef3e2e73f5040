"""The adapter of a framework: the one place that chooses between them."""

from __future__ import annotations

from harness.core.errors import UnknownNameError
from harness.frameworks.base import Adapter
from harness.machine.variables import limit_spinning

ADAPTERS = ("torch", "jax")


def adapter(framework: str, device: str, threads: int) -> Adapter:
    """The adapter of a framework; imports the framework.

    Args:
        framework: `torch` or `jax`.
        device: `cpu`, `cuda` or `cuda:N`.
        threads: how many CPU threads one operation may use.
    """
    limit_spinning()
    if framework == "torch":
        from harness.frameworks.torch.adapter import TorchAdapter

        return TorchAdapter(device, threads)
    if framework == "jax":
        from harness.frameworks.jax.adapter import JaxAdapter

        return JaxAdapter(device, threads)
    raise UnknownNameError("framework", framework, ADAPTERS)
