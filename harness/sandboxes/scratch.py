"""A worker's scratch: a private folder that serves one life of a trial, and is gone afterwards.

Its referee holds a lock on it, so that what a killed referee left can be told from what is in use:
the next trial of the machine removes it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.core.locks import lock

PREFIX = "guided-descent-scratch-"
YOUNG_S = 5.0
"""Between its making and its locking a folder is not taken for left over."""


@contextmanager
def scratch() -> Iterator[Path]:
    """A new folder, and an end to those that are left over."""
    _remove_left_over(Path(tempfile.gettempdir()))
    # a hostile submission may leave what cannot be removed; that must not end the run
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            lock(held)
            yield Path(folder)
        finally:
            os.close(held)


def _remove_left_over(folder: Path) -> None:
    for path in folder.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - path.lstat().st_mtime > YOUNG_S and not _is_held(path):
                shutil.rmtree(path, ignore_errors=True)


def _is_held(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        return not lock(descriptor, wait=False)
    finally:
        os.close(descriptor)
