"""Becomes the administrator of a namespace of its own."""

import ctypes

from .honest import Honest, attempt

CLONE_NEWUSER = 0x10000000


def unshare() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) < 0:
        raise OSError(ctypes.get_errno(), "unshare")


class Submission(Honest):
    def act(self) -> None:
        attempt(unshare, "has a user namespace")
