"""Limits of one process and its children (memory, processes, files), and their user."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import secrets
from pathlib import Path

from harness.sandboxes import libc

OPEN_FILES = 4096
NOBODY = 65534
_OWN_USERS = range(0x70000000, 0x71000000)
"""User ids that no system assigns, one per worker, so that workers cannot reach each other and the
limit on processes counts only the worker's own."""
_DAC_READ_SEARCH = 1 << 2
_CAPABILITY_VERSION = 0x20080522


def limit(memory_gib: float, file_mib: int, processes: int | None = None) -> None:
    """Limit private memory (RLIMIT_DATA counts anonymous mappings), files, core dumps, processes
    and priorities.

    The kernel does not limit the number of processes of the user root.

    Args:
        memory_gib: of one process.
        file_mib: the largest single file, including the worker's log.
        processes: of the user; None for no limit.
    """
    memory = int(memory_gib * 2**30)
    limits = {
        resource.RLIMIT_DATA: memory,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: file_mib * 2**20,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_MEMLOCK: 64 * 2**20,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_RTPRIO: 0,
    }
    if processes is not None:
        limits[resource.RLIMIT_NPROC] = processes
    for kind, value in limits.items():
        _, hard = resource.getrlimit(kind)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def be_killed_first() -> None:
    """Make this process the first to be killed when the kernel runs out of memory."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def own_user() -> int:
    """The user id for a worker: one of its own if this process is root, otherwise unchanged."""
    if os.getuid() != 0:
        return os.getuid()
    own = _OWN_USERS.start + secrets.randbelow(len(_OWN_USERS))
    return next((user for user in (own, NOBODY) if _is_mapped(user)), 0)


def _is_mapped(user: int) -> bool:
    """Whether a user id exists here; inside a container often only those below 65536 do."""
    for line in Path("/proc/self/uid_map").read_text(encoding="ascii").splitlines():
        first, _, count = (int(field) for field in line.split())
        if first <= user < first + count:
            return True
    return False


def become(user: int, may_read_all: bool) -> None:
    """Become an unprivileged user.

    Args:
        user: the user id; this process's own if it is not root.
        may_read_all: keep the capability to read files of other users, if another layer (Landlock,
            mounts) restricts which files are visible: root's programs may be in root's folders.
    """
    capabilities = _capabilities() & (_DAC_READ_SEARCH if may_read_all else 0)
    if os.getuid() == 0:
        libc.keep_capabilities()
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    _keep_capabilities(capabilities)
    libc.set_dumpable(True)


def _keep_capabilities(capabilities: int) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)(capabilities, capabilities, 0, 0, 0, 0)
    libc.named_syscall("capset", ctypes.byref(header), ctypes.byref(sets))


def _capabilities() -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("CapPrm:"))
