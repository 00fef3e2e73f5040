"""Landlock: a process restricts itself and its children to the files that it names.

See landlock(7). The numbers of the three system calls are the same on every machine.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from harness.sandboxes import libc

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_RIGHTS_OF_VERSION = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""The number of file rights by version of the interface; unchanged since version 5."""

READ = _EXECUTE | _READ_FILE | _READ_DIR
DEVICE = _READ_FILE | _WRITE_FILE | _IOCTL_DEV
NAMING = READ | _WRITE_FILE | _TRUNCATE
"""NVIDIA's driver names its threads by writing to their files in /proc, and fails if it cannot."""
SCRATCH = ~(_MAKE_CHAR | _MAKE_BLOCK)


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def version() -> int:
    """The version of the kernel's Landlock interface.

    Raises:
        OSError: the kernel has none, or it is disabled.
    """
    return libc.syscall(
        "landlock", _CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION)
    )


def restrict(rules: Iterable[tuple[Path, int]], *, may_use_tcp: bool = False) -> None:
    """Give up access to all files outside the rules, TCP, and signals and sockets to other
    processes.

    `no_new_privs` must be set.

    Args:
        rules: paths and the rights to everything below each; missing paths are skipped.
        may_use_tcp: whether to keep TCP, in a network of its own.
    """
    abi = version()
    file_rights = (1 << _RIGHTS_OF_VERSION.get(abi, 16)) - 1
    attributes = _Ruleset(
        file_rights, 0b11 if abi >= 4 and not may_use_tcp else 0, 0b11 if abi >= 6 else 0
    )
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = libc.syscall(
        "landlock_create_ruleset",
        _CREATE_RULESET,
        ctypes.byref(attributes),
        ctypes.c_size_t(size),
        ctypes.c_uint32(0),
    )
    try:
        for path, rights in rules:
            _allow(ruleset, path, rights & file_rights)
        libc.syscall("landlock_restrict_self", _RESTRICT_SELF, ruleset, ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        rule = _Beneath(rights if is_folder else rights & _OF_FILES, descriptor)
        libc.syscall(
            f"landlock_add_rule {path}",
            _ADD_RULE,
            ruleset,
            _PATH_BENEATH,
            ctypes.byref(rule),
            ctypes.c_uint32(0),
        )
    finally:
        os.close(descriptor)
