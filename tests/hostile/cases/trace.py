"""Traces its parent."""

import ctypes
import os

from .honest import Honest, attempt

PTRACE_SEIZE = 0x4206


def trace() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_SEIZE, os.getppid(), None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


class Submission(Honest):
    def act(self) -> None:
        attempt(trace, "traces another process")
