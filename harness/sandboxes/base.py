"""What a referee needs of a sandbox, whichever confines the worker."""

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
"""How many processes and threads a worker may have, at least, and on a machine of many cores:
compilers start several a core."""


def most_processes() -> int:
    """How many it may have on this machine."""
    return max(PROCESSES, PROCESSES_A_CORE * (os.cpu_count() or 1))


@dataclass(frozen=True)
class Confinement:
    """What one worker gets and what it may use."""

    framework: str
    threads: int
    """CPU threads of one rank."""
    memory_gib: float
    """Of one rank."""
    scratch: Path
    """A private folder, the worker's working directory."""
    log: Path
    """Where its standard output and error go."""
    view: Path
    """An empty folder in which a confined worker finds its training data once they are shown."""
    submission: Path | None = None
    """The copy of the submission's files; None if it is installed."""
    hidden_paths: tuple[Path, ...] = ()
    """Folders with what the worker must not see: records, instances."""
    ranks: int = 1
    """How many processes the worker forks itself into, which train together."""
    cores: tuple[int, ...] = ()
    """What it is pinned to; empty for all."""
    processes: int = field(default_factory=most_processes)
    """How many processes and threads it may have."""
    computes_on_gpu: bool = False
    """Whether it needs what NVIDIA's driver and torch's compiler need to start."""
    scratch_mib: int = 1024
    """How much it may write."""
    file_mib: int = 512
    """The largest single file, its log included."""
    packages: Mapping[str, str | None] = field(default_factory=dict)
    """The versions that the trial's record names; a worker must not meet others."""


@dataclass(frozen=True)
class Use:
    """What a worker has used so far; of several ranks the most memory, and the time of all."""

    memory_bytes: int
    cpu_s: float


class WorkerProcess(Protocol):
    """One confined worker."""

    connection: socket.socket
    """The referee's end of the wire."""

    def freeze(self) -> bool:
        """Stop every thread of the worker; returns whether they are frozen, within two seconds."""
        ...

    def has_stayed_frozen(self) -> bool:
        """Whether nothing of the worker has run since it was frozen."""
        ...

    def thaw(self) -> None:
        """Let it go on."""
        ...

    def show(self, split: Path) -> Path:
        """Let the worker read a split from now on; returns where it finds it."""
        ...

    def kill(self) -> None:
        """End it and all that it started, and see it gone; safe to call twice."""
        ...

    def use(self) -> Use:
        """Memory and processor time used; zeros if it is gone."""
        ...

    def exit_reason(self, timeout_s: float) -> str:
        """How it ended, in words, waiting at most so long for the end."""
        ...


class Sandbox(Protocol):
    """A way to confine workers."""

    @property
    def image(self) -> str | None:
        """The digest of the image that workers run in; None if they have this machine's files."""
        ...

    def start(self, confinement: Confinement) -> WorkerProcess:
        """Start a worker that waits for HELLO."""
        ...

    def list_unenforced(self) -> tuple[str, ...]:
        """What this sandbox does not enforce, for the record."""
        ...
