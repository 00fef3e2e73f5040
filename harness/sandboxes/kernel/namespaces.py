"""Namespaces of one worker: its own processes, network, mounts, host name and shared memory.

An unprivileged user can create them only in a user namespace, which the fork server enters once.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

from harness.sandboxes import libc

NEW_MOUNTS, NEW_UTS, NEW_IPC = 0x00020000, 0x04000000, 0x08000000
NEW_USER, NEW_PIDS, NEW_NETWORK = 0x10000000, 0x20000000, 0x40000000

_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXECUTE = 1, 2, 4, 8
_PRIVATE = 1 << 14 | 1 << 18
"""Private and recursive, so that mounts made here stay invisible outside."""
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_SET_FLAGS, _IS_UP = 0x8914, 1
"""SIOCSIFFLAGS and IFF_UP, see netdevice(7)."""


class _MountAttributes(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "user"))


def unshare(flags: int) -> None:
    """Move this process into new namespaces."""
    libc.named_syscall("unshare", ctypes.c_ulong(flags))


def enter_user_namespace() -> None:
    """Enter a user namespace as administrator under the same user id; needs a single thread."""
    user, group = os.getuid(), os.getgid()
    unshare(NEW_USER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def hold_first_process() -> None:
    """Make the next child the first process of a new namespace; its end kills all in it."""
    unshare(NEW_PIDS)


def leave_network(*, has_loopback: bool = False) -> None:
    """Enter a network without devices, in which no socket reaches this or another machine.

    Args:
        has_loopback: bring up its loopback, over which the processes in it can reach each other.
    """
    unshare(NEW_NETWORK)
    if has_loopback:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH14x", b"lo", _IS_UP))


def leave_mounts(scratch: Path, scratch_mib: int, user: int, hidden_paths: Iterable[Path]) -> None:
    """Make all files read-only and some folders empty, except for a scratch folder of limited size.

    Args:
        scratch: the only writable folder; it is in memory and disappears with the worker.
        scratch_mib: its size.
        user: its owner.
        hidden_paths: folders that appear empty.
    """
    unshare(NEW_UTS | NEW_IPC)
    _leave_shared_mounts()
    _make_read_only()
    quota = f"size={scratch_mib}m,nr_inodes=65536,mode=0700,uid={user}"
    libc.mount("scratch", str(scratch), "tmpfs", _NO_SUID | _NO_DEVICES, quota)
    for folder in hidden_paths:
        flags = _NO_SUID | _NO_DEVICES | _NO_EXECUTE | _READ_ONLY
        libc.mount("hidden", str(folder), "tmpfs", flags, "size=4k,mode=0755")
    os.chdir(scratch)


def own_shared_memory(size_mib: int, user: int) -> None:
    """Replace /dev/shm by an empty one of limited size; requires a mount namespace of its own."""
    quota = f"size={size_mib}m,nr_inodes=4096,mode=0700,uid={user}"
    libc.mount("shared", "/dev/shm", "tmpfs", _NO_SUID | _NO_DEVICES | _NO_EXECUTE, quota)


def show_own_processes(is_read_only: bool = True) -> None:
    """Replace /proc, for this process only, by one that shows only its namespace's processes."""
    _leave_shared_mounts()
    flags = _NO_SUID | _NO_DEVICES | _NO_EXECUTE | (_READ_ONLY if is_read_only else 0)
    libc.mount("proc", "/proc", "proc", flags)


def _leave_shared_mounts() -> None:
    """Keep later mounts visible to this process and its children only."""
    unshare(NEW_MOUNTS)
    libc.mount("none", "/", "", _PRIVATE)


def _make_read_only() -> None:
    attributes = _MountAttributes(set=_READ_ONLY | _NO_SUID)
    libc.named_syscall(
        "mount_setattr",
        _AT_FDCWD,
        ctypes.c_char_p(b"/"),
        ctypes.c_uint(_AT_RECURSIVE),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )
