"""Calls of the C library that Python's `os` does not have."""

from __future__ import annotations

import ctypes
import os
import platform

_LIBC = ctypes.CDLL(None, use_errno=True)

MACHINE = platform.machine()
SYSCALLS = {
    "x86_64": {"capset": 126, "mount_setattr": 442, "unshare": 272},
    "aarch64": {"capset": 91, "mount_setattr": 442, "unshare": 97},
}
"""Numbers of system calls that old C libraries do not wrap, by machine."""
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_SET_NO_NEW_PRIVS = 38


def check_result(result: int, what: str) -> int:
    """Check the result of a C call.

    Raises:
        OSError: it is negative; `errno` says why.
    """
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def syscall(what: str, number: int, *arguments: object) -> int:
    """A system call by its number."""
    return check_result(int(_LIBC.syscall(ctypes.c_long(number), *arguments)), what)


def named_syscall(name: str, *arguments: object) -> int:
    """A system call of `SYSCALLS`."""
    if MACHINE not in SYSCALLS:
        raise OSError(f"{name}: its number on {MACHINE} is not known")
    return syscall(name, SYSCALLS[MACHINE][name], *arguments)


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount a file system."""
    texts = [text.encode() for text in (source, target, kind)]
    check_result(
        _LIBC.mount(*texts, ctypes.c_ulong(flags), data.encode()), f"mount {kind} on {target}"
    )


def prctl(option: int, value: int) -> None:
    """Set one attribute of this process."""
    arguments = [ctypes.c_ulong(number) for number in (value, 0, 0, 0)]
    check_result(_LIBC.prctl(option, *arguments), f"prctl {option}")


def die_with_parent(signal_number: int) -> None:
    """Request a signal for when the parent ends; a change of user cancels it."""
    prctl(_PR_SET_PDEATHSIG, signal_number)


def set_dumpable(is_dumpable: bool) -> None:
    """Set whether other processes of the same user may trace this one and read its memory."""
    prctl(_PR_SET_DUMPABLE, int(is_dumpable))


def keep_capabilities() -> None:
    """Keep the permitted capabilities across the next change of user."""
    prctl(_PR_SET_KEEPCAPS, 1)


def gain_nothing_by_exec() -> None:
    """Prevent programs started from now on from gaining privileges; Landlock and seccomp require
    it.
    """
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
