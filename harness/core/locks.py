"""Locks between processes; the kernel releases one when its file is closed, even by a crash."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Protocol

from harness.core.errors import HarnessError

NO_LOCKS = (
    "its file system may not support locks, like Lustre mounted without the option 'flock': use a "
    "folder on another one (--out DIR for records, XDG_CACHE_HOME for data, TMPDIR for the rest)"
)


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

    Raises:
        HarnessError: it cannot be locked, for example because its file system has no locks.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise HarnessError(f"cannot lock {_path_of(file)}: {error.strerror}", NO_LOCKS) from error
    return True


def _path_of(file: int | HasDescriptor) -> str:
    descriptor = file if isinstance(file, int) else file.fileno()
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    except OSError:
        return f"the open file {descriptor}"
