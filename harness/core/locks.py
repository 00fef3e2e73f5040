"""Locks between processes; the kernel releases one when its file is closed, even by a crash."""

from __future__ import annotations

import fcntl
from typing import Protocol


class HasDescriptor(Protocol):
    """An open file."""

    def fileno(self) -> int:
        """Its descriptor."""
        ...


def lock(file: int | HasDescriptor, *, wait: bool = True) -> bool:
    """Lock an open file or folder against other processes; returns whether it is locked.

    Args:
        file: the file or its descriptor.
        wait: whether to wait for a process that holds it; otherwise the answer may be False.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
