"""Cuts off the memory that the referee reads its snapshots from."""

import os
from pathlib import Path

from .honest import Honest, attempt


def cut_off() -> None:
    """The memory's descriptor is closed, but for the one that Python's mapping keeps."""
    for link in Path("/proc/self/fd").iterdir():
        if link.is_symlink() and "memfd:slot" in str(link.readlink()):
            os.ftruncate(int(link.name), 0)
            return
    raise OSError("there is no slot")


class Submission(Honest):
    def act(self) -> None:
        attempt(cut_off, "the referee reads nothing any more")
