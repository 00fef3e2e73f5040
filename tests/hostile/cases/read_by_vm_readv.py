"""Reads the memory of its parent by process_vm_readv."""

import ctypes
import os

from .honest import Honest, attempt


class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def read() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(8)
    here = Vector(ctypes.addressof(buffer), 8)
    there = Vector(id(os), 8)  # the parent is a copy: what it has, it has at the same place
    if libc.process_vm_readv(os.getppid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0) < 0:
        raise OSError(ctypes.get_errno(), "process_vm_readv")


class Submission(Honest):
    def act(self) -> None:
        attempt(read, "read another process's memory")
