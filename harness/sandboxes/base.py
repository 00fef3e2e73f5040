"""The interface of sandboxes."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

UNCONFINED_STATUS = 71
"""The exit status of a worker that could not be confined."""
PROCESSES, PROCESSES_A_CORE = 512, 8
"""The limit on a worker's processes and threads: a minimum, and per core, because compilers start
several per core."""


def most_processes() -> int:
    """The limit on this machine."""
    return max(PROCESSES, PROCESSES_A_CORE * (os.cpu_count() or 1))


@dataclass(frozen=True)
class Confinement:
    """The resources of one worker, and their limits."""

    framework: str
    threads: int
    """CPU threads of one rank."""
    memory_gib: float
    """Of one rank."""
    scratch: Path
    """A private folder, the worker's working directory."""
    log: Path
    """The file for its standard output and error."""
    view: Path
    """An empty folder in which a confined worker finds its training data once they are shown."""
    submission: Path | None = None
    """The copy of the submission's files; None if it is installed."""
    hidden_paths: tuple[Path, ...] = ()
    """Folders that the worker must not see: records, instances."""
    ranks: int = 1
    """How many processes the worker forks itself into, which train together."""
    cores: tuple[int, ...] = ()
    """The cores that it is pinned to; empty for all."""
    processes: int = field(default_factory=most_processes)
    """The limit on its processes and threads."""
    computes_on_gpu: bool = False
    """Whether it is allowed what NVIDIA's driver and torch's compiler need to start."""
    scratch_mib: int = 1024
    """The size of its scratch folder."""
    file_mib: int = 512
    """The largest single file, including its log."""
    packages: Mapping[str, str | None] = field(default_factory=dict)
    """The package versions in the trial's record; a worker must have the same ones."""


@dataclass(frozen=True)
class Use:
    """A worker's use so far: memory (the largest rank's) and CPU time (of all ranks)."""

    memory_bytes: int
    cpu_s: float


class WorkerProcess(Protocol):
    """One confined worker."""

    connection: socket.socket
    """The referee's end of the wire."""

    def freeze(self) -> bool:
        """Stop every thread of the worker; returns whether all are frozen within two seconds."""
        ...

    def has_stayed_frozen(self) -> bool:
        """Whether nothing of the worker has run since it was frozen."""
        ...

    def thaw(self) -> None:
        """Let it continue."""
        ...

    def show(self, split: Path) -> Path:
        """Make a split readable for the worker; returns the path that the worker sees."""
        ...

    def kill(self) -> None:
        """Kill it and all that it started, and wait until they are gone; safe to call twice."""
        ...

    def use(self) -> Use:
        """Memory and CPU time used; zeros if it is gone."""
        ...

    def exit_reason(self, timeout_s: float) -> str:
        """How it ended, in words, after waiting at most this long for the end."""
        ...


class Sandbox(Protocol):
    """A way to confine workers."""

    @property
    def image(self) -> str | None:
        """The digest of the workers' container image; None if they use this machine's files."""
        ...

    def start(self, confinement: Confinement) -> WorkerProcess:
        """Start a worker that waits for HELLO."""
        ...

    def list_unenforced_protections(self) -> tuple[str, ...]:
        """The protections that this sandbox does not enforce, for the record."""
        ...
