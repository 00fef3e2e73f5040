"""Creates sandboxes by name."""

from __future__ import annotations

from harness.providers.table import SANDBOXES
from harness.sandboxes.base import Sandbox


def sandbox(name: str) -> Sandbox:
    """Create the sandbox of a name.

    Raises:
        UnknownNameError: there is none.
    """
    instance: Sandbox = SANDBOXES.load(name)()
    return instance
