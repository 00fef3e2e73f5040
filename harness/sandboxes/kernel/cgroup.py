"""Control groups, if this process may create them: limits of a worker's memory and processes.

Both versions are supported; a group is a sibling of this process's own (version 2) or a child of it
(version 1). A group of version 2 can also be frozen, which no signal undoes, and counts the CPU
time of all processes that were ever in it. With version 1 such a group is created in addition, if
possible.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
UNIFIED_ROOT = ROOT / "unified"
"""The mount point of version 2 on a system that uses version 1."""
PREFIX = "guided-descent-"
_REMOVE_TIMEOUT_S = 1.0


@dataclass(frozen=True)
class Bound:
    """The number in a file of a group."""

    file: str
    value: int


@dataclass(frozen=True)
class FreezableGroup:
    """A group of version 2, as `harness.sandboxes.suspension.ControlGroup` wants it."""

    folder: Path

    def freeze(self) -> None:
        """Freeze all processes in it, and all that join it."""
        self._write("cgroup.freeze", "1")

    def thaw(self) -> None:
        """Let it continue."""
        self._write("cgroup.freeze", "0")

    @property
    def is_frozen(self) -> bool:
        """Whether all processes in it are frozen."""
        return self._number("cgroup.events", "frozen") == 1

    @property
    def processor_ns(self) -> int:
        """The CPU time used in it, including that of processes that have ended."""
        return 1000 * self._number("cpu.stat", "usage_usec")

    def _write(self, file: str, text: str) -> None:
        (self.folder / file).write_text(text, encoding="ascii")

    def _number(self, file: str, key: str) -> int:
        lines = (self.folder / file).read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{key} "))


@dataclass(frozen=True)
class Group:
    """The groups of one worker."""

    folders: tuple[Path, ...]

    @property
    def freezable(self) -> FreezableGroup | None:
        """The one that can be frozen; None without version 2 and on kernels before 5.2."""
        folders = (folder for folder in self.folders if (folder / "cgroup.freeze").exists())
        return next(map(FreezableGroup, folders), None)

    def remove(self) -> None:
        """Kill the processes that are still in a killed worker's groups, and remove the groups."""
        deadline_s = time.monotonic() + _REMOVE_TIMEOUT_S
        for folder in self.folders:
            with contextlib.suppress(OSError):  # since Linux 5.14, in groups of version 2
                if (folder / "cgroup.kill").exists():
                    (folder / "cgroup.kill").write_text("1", encoding="ascii")
            while folder.exists() and time.monotonic() < deadline_s:
                with contextlib.suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.005)


def confine(pid: int, memory_bytes: int, processes: int) -> Group:
    """Limit a process and its future children.

    Raises:
        OSError: groups cannot be created here, or lack the controllers.
    """
    folders: list[Path] = []
    try:
        for parent, bounds in _places(memory_bytes, processes):
            _remove_left_over(parent)
            folder = parent / f"{PREFIX}{pid}"
            folder.mkdir(exist_ok=True)
            folders.append(folder)
            for bound in bounds:
                (folder / bound.file).write_text(str(bound.value), encoding="ascii")
            (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")
    except OSError:
        Group(tuple(folders)).remove()
        raise
    return Group((*folders, *_only_to_freeze(pid)))


def _only_to_freeze(pid: int) -> list[Path]:
    """A group of version 2 in addition to those of version 1, if this process may create one."""
    own = _own_groups()
    if "memory" not in own or not (parent := UNIFIED_ROOT / own.get("", "/").lstrip("/")).is_dir():
        return []
    folder = parent / f"{PREFIX}{pid}"
    try:
        _remove_left_over(parent)
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.procs").write_text(str(pid), encoding="ascii")
    except OSError:
        Group((folder,)).remove()
        return []
    return [folder]


def _remove_left_over(parent: Path) -> None:
    """Remove the empty groups of workers whose referee was killed before it could remove them."""
    for folder in parent.glob(f"{PREFIX}*"):
        if not Path("/proc", folder.name.removeprefix(PREFIX)).exists():
            with contextlib.suppress(OSError):
                folder.rmdir()


def _places(memory_bytes: int, processes: int) -> list[tuple[Path, tuple[Bound, ...]]]:
    own = _own_groups()
    if "memory" in own and "pids" in own:
        memory = ROOT / "memory" / own["memory"].lstrip("/")
        pids = ROOT / "pids" / own["pids"].lstrip("/")
        return [
            (memory, (Bound("memory.limit_in_bytes", memory_bytes),)),
            (pids, (Bound("pids.max", processes),)),
        ]
    if not {"memory", "pids"} <= set(_controllers()):
        raise OSError("no control group with memory and pids is open to this process")
    place = (ROOT / own.get("", "/").lstrip("/")).parent if own.get("", "/") != "/" else ROOT
    return [(place, (Bound("memory.max", memory_bytes), Bound("pids.max", processes)))]


def _own_groups() -> dict[str, str]:
    """This process's groups by controller; the empty name is version 2."""
    groups: dict[str, str] = {}
    for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines():
        _, names, path = line.split(":", 2)
        groups |= dict.fromkeys(names.split(","), path)
    return groups


def _controllers() -> list[str]:
    file = ROOT / "cgroup.controllers"
    return file.read_text(encoding="ascii").split() if file.exists() else []
