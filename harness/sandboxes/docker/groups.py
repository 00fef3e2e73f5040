"""A container's control groups on this machine, of cgroup version 1 or 2.

A container's processes cannot leave its group. While it is frozen, none of them runs, whatever
signal it gets, and the group counts the CPU time of all processes that were ever in it. Both are
read from the kernel's files and not from the engine. With write permission, freezing is one write
and takes microseconds; otherwise the engine does it, which takes about ten milliseconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.core.errors import HarnessError
from harness.sandboxes.base import Use
from harness.sandboxes.kernel.cgroup import ROOT, FreezableGroup
from harness.sandboxes.suspension import ControlGroup


class ContainerGroup(ControlGroup, Protocol):
    """A control group that also reports its use."""

    def use(self) -> Use:
        """Memory and CPU time of all processes in it."""
        ...


@dataclass(frozen=True)
class UnifiedGroup(FreezableGroup):
    """A group of version 2."""

    def use(self) -> Use:
        """Memory and CPU time of all processes in it."""
        bytes_used = sum(self._number("memory.stat", key) for key in ("anon", "shmem"))
        return Use(memory_bytes=bytes_used, cpu_s=self.processor_ns / 1e9)


@dataclass(frozen=True)
class SeparateGroups:
    """The groups of version 1, one per controller."""

    freezer: Path
    memory: Path
    processor: Path

    def freeze(self) -> None:
        """Freeze all processes in it, and all that join it."""
        (self.freezer / "freezer.state").write_text("FROZEN", encoding="ascii")

    def thaw(self) -> None:
        """Let it continue."""
        (self.freezer / "freezer.state").write_text("THAWED", encoding="ascii")

    @property
    def is_frozen(self) -> bool:
        """Whether all processes in it are frozen."""
        return (self.freezer / "freezer.state").read_text(encoding="ascii").strip() == "FROZEN"

    @property
    def processor_ns(self) -> int:
        """The CPU time used in it, including that of processes that have ended."""
        return int((self.processor / "cpuacct.usage").read_text(encoding="ascii"))

    def use(self) -> Use:
        """Memory and CPU time of all processes in it."""
        lines = (self.memory / "memory.stat").read_text(encoding="ascii").splitlines()
        numbers = {key: int(value) for key, _, value in (line.partition(" ") for line in lines)}
        # files are counted apart, and those in memory, such as the scratch's, in "shmem"
        bytes_used = numbers["total_rss"] + numbers.get("total_shmem", 0)
        return Use(memory_bytes=bytes_used, cpu_s=self.processor_ns / 1e9)


@dataclass(frozen=True)
class ByEngine:
    """A group that this process can only read; the engine freezes it."""

    group: ContainerGroup
    pause: Callable[[], None]
    unpause: Callable[[], None]

    def freeze(self) -> None:
        """Ask the engine to freeze it."""
        self.pause()

    def thaw(self) -> None:
        """Ask the engine to thaw it."""
        self.unpause()

    @property
    def is_frozen(self) -> bool:
        """Whether all processes in it are frozen."""
        return self.group.is_frozen

    @property
    def processor_ns(self) -> int:
        """The CPU time used in it, including that of processes that have ended."""
        return self.group.processor_ns

    def use(self) -> Use:
        """Memory and CPU time of all processes in it."""
        return self.group.use()


def group_of(
    pid: int, pause: Callable[[], None], unpause: Callable[[], None], root: Path = ROOT
) -> ContainerGroup:
    """The group of a container.

    Args:
        pid: the machine-wide id of its first process.
        pause: freezes it through the engine.
        unpause: thaws it through the engine.
        root: where control groups are mounted.

    Raises:
        HarnessError: the engine's containers are not processes of this machine.
    """
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
        group, file = _find_group(root, lines)
        group.use()
    except (OSError, KeyError, ValueError, StopIteration) as error:
        raise HarnessError(
            f"the control group of the container's process {pid} cannot be read: {error}",
            "run the referee on the engine's own Linux machine, not in a container and not in a "
            "virtual machine of its own",
        ) from error
    return group if os.access(file, os.W_OK) else ByEngine(group, pause, unpause)


def _find_group(root: Path, lines: list[str]) -> tuple[ContainerGroup, Path]:
    """A group, and the file that freezes it."""
    paths = dict[str, str]()
    for line in lines:
        _, names, path = line.split(":", 2)
        paths |= dict.fromkeys(names.split(","), path.lstrip("/"))
    if "freezer" not in paths:
        group = UnifiedGroup(root / paths[""])
        return group, group.folder / "cgroup.freeze"
    places = (root / name / paths[name] for name in ("freezer", "memory", "cpuacct"))
    separate = SeparateGroups(*places)
    return separate, separate.freezer / "freezer.state"
