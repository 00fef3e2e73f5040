"""Containers whose referee was killed: found by their label, and removed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.machine.processes import stat_fields
from harness.sandboxes.docker.process import remove

if TYPE_CHECKING:
    from docker import DockerClient

LABEL = "guided-descent.referee"
_STARTED_AT = 19
"""The index, after the name, of the start time in /proc/PID/stat."""


def labels() -> dict[str, str]:
    """The labels of a container of this process."""
    return {LABEL: _identity(os.getpid())}


def remove_left_over(engine: DockerClient) -> None:
    """Remove the containers of dead referees; other processes may do the same at the same time."""
    containers = engine.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True)
    for container in containers:
        referee = container.labels[LABEL]
        pid = referee.partition(":")[0]
        if not pid.isdecimal() or _identity(int(pid)) != referee:
            remove(container)


def _identity(pid: int) -> str:
    """A process's id and start time, which identify it even if the id is reused."""
    try:
        return f"{pid}:{stat_fields(Path(f'/proc/{pid}'))[_STARTED_AT]}"
    except OSError:
        return ""
