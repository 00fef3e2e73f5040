"""Confines a forked worker, which applies these layers to itself before it learns its trial.

Only the layers in `order` are applied; if one fails, the worker exits.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import submissions
import workloads
from harness.sandboxes import libc
from harness.sandboxes.kernel import landlock, limits, namespaces, seccomp

LAYERS = ("network", "mounts", "pids", "proc", "identity", "landlock", "seccomp", "cgroup")
"""In the order in which they are applied; the last one is applied from outside."""
NAMESPACES = ("network", "mounts", "pids", "proc")
CACHE_FOLDERS = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH", "XDG_CACHE_HOME")

_SYSTEM = (
    "/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
    "/etc/alternatives", "/etc/localtime", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf",
    "/sys/devices/system", "/sys/class/drm", "/sys/module/nvidia", "/sys/bus/pci/devices",
    "/opt/nvidia", "/etc/OpenCL",
)  # fmt: skip
_DEVICES = ("null", "zero", "full", "random", "urandom")
_SHARED_PROC = (
    "self", "cpuinfo", "meminfo", "stat", "driver", "devices", "modules", "sys/vm", "version",
)  # fmt: skip
SHARED_MIB = 256
"""The size of a worker's own shared memory on a GPU: torch's compiler processes use semaphores."""


def confine(order: Mapping[str, Any]) -> None:
    """Apply the limits and layers of an order.

    Args:
        order: `scratch`, `memory_gib`, `file_mib`, `cores`; for the sandbox `kernel` also
            `layers`, `view`, `readable`, `hidden`, `user`, `processes`, `scratch_mib`, `gpu`,
            `ranks`; for `docker`, whose containers bring it, `is_alone_in_network`.

    Raises:
        OSError: the kernel refuses a layer.
    """
    scratch, layers = Path(order["scratch"]), set(order.get("layers", ()))
    has_ranks = _has_ranks(order)
    os.chdir(scratch)
    _use_scratch(scratch)
    if order["cores"]:
        os.sched_setaffinity(0, order["cores"])
    limits.be_killed_first()
    limits.limit(order["memory_gib"], order["file_mib"], order.get("processes"))
    if layers:
        _confine(order, scratch, layers, has_ranks=has_ranks)
    libc.die_with_parent(signal.SIGKILL)
    if "landlock" in layers or "seccomp" in layers:
        libc.gain_nothing_by_exec()
    if "landlock" in layers:
        landlock.restrict(_rules(order, scratch, layers), may_use_tcp=has_ranks)
    if "seccomp" in layers:
        seccomp.restrict(may_reach_driver=order["gpu"], may_find_ranks=has_ranks)


def close_network(order: Mapping[str, Any]) -> Callable[[], None] | None:
    """The function that blocks a worker's sockets once its ranks are connected; None if not needed.

    Args:
        order: the order that `confine` has applied.
    """
    is_open = _has_ranks(order) and "seccomp" in order["layers"]
    return seccomp.refuse_sockets if is_open else None


def _has_ranks(order: Mapping[str, Any]) -> bool:
    """Whether it has several ranks in a network of their own."""
    is_own = "network" in order.get("layers", ()) or order.get("is_alone_in_network", False)
    return bool(is_own and order.get("ranks", 1) > 1)


def _use_scratch(scratch: Path) -> None:
    """Redirect temporary files, compile caches and the home directory to the trial's scratch
    folder.
    """
    os.environ["HOME"] = str(scratch)
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
    for name in CACHE_FOLDERS:
        os.environ[name] = str(scratch / "cache")


def _confine(order: Mapping[str, Any], scratch: Path, layers: set[str], *, has_ranks: bool) -> None:
    user = order["user"]
    if "network" in layers:
        namespaces.leave_network(has_loopback=has_ranks)
    if "mounts" in layers:
        hidden_paths = [Path(folder) for folder in order["hidden"]]
        namespaces.leave_mounts(scratch, order["scratch_mib"], user, hidden_paths)
        if order["gpu"]:
            namespaces.own_shared_memory(SHARED_MIB, user)
    elif os.getuid() == 0:
        os.chown(scratch, user, -1)
    if order["gpu"] and "mounts" not in layers:
        os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"  # several need shared memory to meet in
    if "proc" in layers:
        namespaces.show_own_processes(is_read_only=not order["gpu"])
    if "identity" in layers:
        limits.become(user, may_read_all=bool(layers & {"landlock", "mounts"}))


def _rules(order: Mapping[str, Any], scratch: Path, layers: set[str]) -> Iterator[tuple[Path, int]]:
    code = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    # a user's own packages lie elsewhere; other entries, such as the working folder, are not code
    code += [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    packages = [Path(workloads.__file__).parent, Path(submissions.__file__).parent]
    harness = Path(__file__).parents[2]
    for path in (*_SYSTEM, *code, *packages, harness, order["view"], *order["readable"]):
        yield Path(path), landlock.READ
    proc_names = [""] if "proc" in layers else _SHARED_PROC
    for name in proc_names:
        yield Path("/proc") / name, landlock.READ
    for name in (*_DEVICES, "dxg", *(path.name for path in Path("/dev").glob("nvidia*"))):
        yield Path("/dev") / name, landlock.DEVICE
    for path in Path("/sys/devices").glob("pci*"):
        yield path, landlock.READ
    if order["gpu"]:
        yield Path("/proc/self/task"), landlock.NAMING
        if "mounts" in layers:  # else they are everybody's
            yield Path("/dev/shm"), landlock.SCRATCH
    yield scratch, landlock.SCRATCH
