"""The sandbox of a name."""

from __future__ import annotations

from harness.core.errors import UnknownNameError
from harness.sandboxes.base import Sandbox

SANDBOXES = ("plain", "kernel")


def sandbox(name: str) -> Sandbox:
    """The sandbox of a name."""
    if name == "plain":
        from harness.sandboxes.plain import PlainSandbox

        return PlainSandbox()
    if name == "kernel":
        from harness.sandboxes.kernel.sandbox import KernelSandbox

        return KernelSandbox()
    raise UnknownNameError("sandbox", name, SANDBOXES)
