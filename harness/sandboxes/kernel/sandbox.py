"""The sandbox `kernel`: confines a worker with several independent layers of the Linux kernel.

    network   a network namespace without devices
    mounts    every file read-only, records and instances hidden, a scratch of bounded size
    pids      a process namespace: all of a worker ends with it, and it can signal no one else
    proc      /proc shows the worker's own processes alone
    identity  an ordinary user without rights over others, of its own where the referee is root
    landlock  reading: interpreter, libraries, code, the view of the training data; no more
    seccomp   no sockets, no looking into processes, no new namespaces, no leaving the group
    cgroup    memory and number of processes of the whole worker; version 2 also freezes it

If the kernel lacks a layer, others may still enforce part of its protection. Each layer is tested
once in a child process, and what no layer enforces is written into every record.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import workloads
from harness.core.errors import HarnessError
from harness.sandboxes import libc, start
from harness.sandboxes.base import Confinement
from harness.sandboxes.fork_client import fork_server, fork_worker
from harness.sandboxes.kernel import cgroup, limits
from harness.sandboxes.kernel.confine import LAYERS, NAMESPACES
from harness.sandboxes.plain import PlainWorkerProcess
from harness.sandboxes.view import show

PROBE_TIMEOUT_S = 30.0
GENERATORS = Path(workloads.__file__).parent / "data"
"""The data generators, which a worker does not need and could use to make instances to tune on."""
ENFORCED_BY = {
    "network access": ("network", "seccomp"),
    "reading files outside the trial": ("landlock",),
    "writing files outside the scratch": ("landlock", "mounts"),
    "a quota on the scratch": ("mounts",),
    "that no process outlives the worker": ("pids",),
    "signals to other processes": ("pids",),
    "reading the memory of other processes": ("seccomp", "pids"),
    "that processes stay in the worker's group": ("seccomp",),
    "that processes stay on the worker's cores": ("seccomp",),
    "an ordinary user's rights": ("identity",),
    "a limit on the number of processes": ("cgroup", "own users"),
    "a limit on shared memory and on several processes' sum": ("cgroup",),
}
"""The protections, and the layers that each provide them on their own."""


class Layer(NamedTuple):
    """A layer and whether it works on this machine."""

    name: str
    is_active: bool
    why: str
    """Why not; empty if it is active."""


@cache
def layers() -> tuple[Layer, ...]:
    """Which layers this kernel offers to this user, each tried in a child.

    Raises:
        HarnessError: they cannot be tested.
    """
    try:
        process = subprocess.run(
            start.command("harness.sandboxes.kernel.probe"),
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=True,
            cwd=start.FOLDER,
            env=start.environment(dict(os.environ)),
        )
        reasons = json.loads(process.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise HarnessError(
            f"cannot test what this kernel supports: {error}", "run with --sandbox plain"
        ) from error
    return tuple(Layer(name, not reasons[name], reasons[name]) for name in LAYERS)


class KernelWorkerProcess(PlainWorkerProcess):
    """A worker that has confined itself before it learns its trial."""

    view: Path
    group: cgroup.Group | None = None

    def show(self, split: Path) -> Path:
        """Link a split into the worker's view."""
        show(split, self.view)
        return self.view

    def kill(self) -> None:
        """Kill the worker and everything in its namespace and control group."""
        super().kill()
        if self.group is not None:
            self.group.remove()


class KernelSandbox:
    """Starts workers under the requested layers that this kernel offers.

    Args:
        layer_names: names of the requested layers; all by default.
    """

    image: str | None = None
    has_ranks = True
    """Ranks connect over the loopback of the worker's own network; without one there can be only
    one."""

    def __init__(self, layer_names: Iterable[str] = LAYERS) -> None:
        names = set(layer_names)
        self.active = {layer.name for layer in layers() if layer.is_active and layer.name in names}

    def start(self, confinement: Confinement) -> KernelWorkerProcess:
        """Fork a worker, which confines itself before it receives any message.

        Raises:
            HarnessError: it has several ranks, and this kernel offers no network namespaces.
        """
        if confinement.ranks > 1 and "network" not in self.active:
            raise HarnessError(
                "several ranks need a network namespace of their own, which this kernel "
                "does not grant this user",
                "leave out --devices, or run with --sandbox plain; harness doctor lists what is "
                "missing",
            )
        libc.set_dumpable(False)
        parent = fork_server(confinement.framework, confinement.threads, self._has_own_users)
        worker = KernelWorkerProcess(
            parent, *fork_worker(parent, self._order(confinement), confinement.log)
        )
        worker.view, worker.ranks = confinement.view, confinement.ranks
        if "cgroup" in self.active:
            memory = int(confinement.ranks * confinement.memory_gib * 2**30)
            with contextlib.suppress(ProcessLookupError):
                worker.group = cgroup.confine(worker.pid, memory, confinement.processes)
                worker.control = worker.group.freezable
        return worker

    def list_unenforced_protections(self) -> tuple[str, ...]:
        """Named in every record."""
        holding = self.active | ({"own users"} if self._are_processes_counted else set())
        return tuple(what for what, by in ENFORCED_BY.items() if not holding & set(by))

    @property
    def _are_processes_counted(self) -> bool:
        """Whether the user's process limit counts only the worker's processes."""
        return "identity" in self.active if os.getuid() == 0 else self._has_own_users

    @property
    def _has_own_users(self) -> bool:
        return os.getuid() != 0 and bool(self.active & set(NAMESPACES))

    def _order(self, confinement: Confinement) -> dict[str, object]:
        submission = [confinement.submission] if confinement.submission else []
        visible = [confinement.scratch, confinement.view, *submission, Path(__file__)]
        hidden_paths = [
            str(folder)
            for folder in (*confinement.hidden_paths, GENERATORS)
            if folder.is_dir() and not any(path.is_relative_to(folder) for path in visible)
        ]
        return {
            "scratch": str(confinement.scratch),
            "memory_gib": confinement.memory_gib,
            "file_mib": confinement.file_mib,
            "cores": confinement.cores,
            "gpu": confinement.computes_on_gpu,
            "layers": [name for name in LAYERS if name in self.active],
            "view": str(confinement.view),
            "readable": [str(path) for path in submission],
            "hidden": hidden_paths,
            "user": limits.own_user() if "identity" in self.active else os.getuid(),
            "processes": confinement.processes if self._are_processes_counted else None,
            "scratch_mib": confinement.scratch_mib,
            "ranks": confinement.ranks,
        }
