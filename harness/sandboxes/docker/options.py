"""The engine's options for a worker's container."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import submissions
import workloads
from harness.core.errors import HarnessError
from harness.sandboxes import start
from harness.sandboxes.base import Confinement
from harness.sandboxes.docker.inside import LINE
from harness.sandboxes.docker.process import VIEW
from harness.sandboxes.docker.profile import profile
from harness.sandboxes.fork_client import computing
from harness.sandboxes.kernel.confine import SHARED_MIB
from harness.sandboxes.kernel.limits import NOBODY

if TYPE_CHECKING:
    from docker.types import Mount

CODE = Path("/guided-descent")
SCRATCH = Path("/scratch")
PACKAGES = (Path(__file__).parents[2], Path(workloads.__file__).parent,
            Path(submissions.__file__).parent)  # fmt: skip
"""The packages of the referee's own code that are mounted for the worker."""
EMPTY = "ro,nosuid,nodev,noexec,size=4k"
"""The options of an empty folder."""
NO_COPY_UP = "notmpcopyup"
"""Prevents Podman from copying the underlying files into an in-memory folder."""
WRITABLE = ("/run", "/tmp", "/var/tmp")
"""Folders that Podman keeps writable despite a read-only root."""
LOG_BYTES = "1m"
"""The size of the engine's log, which only has errors from before the worker started."""


def options_of(
    confinement: Confinement, line: Path, volumes: Iterable[str], *, is_podman: bool
) -> dict[str, Any]:
    """The options of `docker.models.containers.create` for a worker's container.

    Args:
        confinement: the worker's resources.
        line: the folder of its line to the referee.
        volumes: folders that the image declares as volumes; they are mounted empty.
        is_podman: whether the engine is Podman.

    Raises:
        HarnessError: the container's user may not read the harness's code.
    """
    from docker.types import LogConfig

    user, group = _user()
    memory = int(confinement.ranks * confinement.memory_gib * 2**30)
    seccomp = _seccomp(confinement, line, is_podman=is_podman)
    scratch = _scratch(confinement, user, group, is_podman=is_podman)
    return {
        "entrypoint": start.command_in("python", CODE, "harness.sandboxes.docker.inside"),
        "command": [confinement.framework],
        "user": f"{user}:{group}",
        "hostname": "worker",
        "working_dir": "/",
        "environment": _variables(confinement),
        "network_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges", f"seccomp={seccomp}"],
        "mem_limit": memory,
        "memswap_limit": memory,
        "pids_limit": confinement.processes,
        "cpuset_cpus": ",".join(map(str, confinement.cores)) or None,
        "mounts": list(_mounts(confinement, line)),
        "tmpfs": _empty(volumes, is_podman=is_podman) | {str(SCRATCH): scratch},
        "log_config": LogConfig(type="json-file", config={"max-size": LOG_BYTES}),
        **_devices(confinement),
    }


def _user() -> tuple[int, int]:
    """An unprivileged user: this one, or `nobody` if this process is root."""
    if os.getuid() != 0:
        return os.getuid(), os.getgid()
    for package in PACKAGES:
        if not package.stat().st_mode & 0o005 == 0o005:
            raise HarnessError(
                f"{package} cannot be read by the user of a container",
                f"chmod -R o+rX {package.parent}",
            )
    return NOBODY, NOBODY


def _variables(confinement: Confinement) -> dict[str, str]:
    place = {"PYTHONPATH": str(CODE), "HOME": str(SCRATCH), "TMPDIR": str(SCRATCH)}
    return computing(confinement.threads) | place


def _mounts(confinement: Confinement, line: Path) -> Iterator[Mount]:
    from docker.types import Mount

    sources = {CODE / package.name: package for package in PACKAGES}
    sources |= {VIEW: confinement.view, Path(LINE).parent: line}
    if confinement.submission is not None:
        sources[confinement.submission] = confinement.submission
    for target, source in sources.items():
        yield Mount(str(target), str(source), type="bind", read_only=True)


def _seccomp(confinement: Confinement, line: Path, *, is_podman: bool) -> str:
    """The seccomp profile in the engine's form: its text, or for Podman a file."""
    text = profile(may_find_ranks=confinement.ranks > 1)
    if not is_podman:
        return text
    file = line / "seccomp.json"  # gone with the line's folder, when the container has started
    file.write_text(text, encoding="ascii")
    return str(file)


def _scratch(confinement: Confinement, user: int, group: int, *, is_podman: bool) -> str:
    """The mount options of the only writable folder, which is in memory."""
    options = f"rw,nosuid,nodev,exec,size={confinement.scratch_mib}m"
    if is_podman:  # it takes no owner: there is but one user in the container
        return f"{options},mode=1777,{NO_COPY_UP}"
    return f"{options},nr_inodes=65536,mode=0700,uid={user},gid={group}"


def _empty(volumes: Iterable[str], *, is_podman: bool) -> dict[str, str]:
    """Empty in-memory folders over the generators of instances, with their mount options."""
    folders = [str(CODE / "workloads" / "data"), *volumes]
    if not is_podman:
        return dict.fromkeys(folders, EMPTY)
    return dict.fromkeys([*folders, *WRITABLE], f"{EMPTY},{NO_COPY_UP}")


def _devices(confinement: Confinement) -> dict[str, Any]:
    """The GPU that this process uses, and shared memory, which torch's compiler needs."""
    if not confinement.computes_on_gpu:
        return {"ipc_mode": "none"}
    from docker.types import DeviceRequest

    gpus = os.environ["CUDA_VISIBLE_DEVICES"].split(",")
    request = DeviceRequest(device_ids=gpus, capabilities=[["gpu", "compute", "utility"]])
    return {
        "ipc_mode": "private",
        "shm_size": SHARED_MIB * 2**20,
        "device_requests": [request],
    }
