"""The sandbox `plain`: process limits, and freezing by signals; works on every Linux machine.

Workers are forked by a fork server, which has imported the framework but no submission, so that a
trial starts in milliseconds. The worker is the fork server's child; the referee signals it by
process group and learns of its end from the fork server.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from pathlib import Path

from harness.core.errors import HarnessError
from harness.machine.processes import stat_fields
from harness.sandboxes import libc
from harness.sandboxes.base import UNCONFINED_STATUS, Confinement, Use
from harness.sandboxes.fork_client import ForkServer, fork_server, fork_worker
from harness.sandboxes.suspension import (
    ControlGroup,
    SuspendedGroup,
    ends,
    has_ended,
    members,
)

FREEZE_TIMEOUT_S = 2.0
END_TIMEOUT_S = 10.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class PlainWorkerProcess:
    """A worker forked by the fork server, leader of its own process group."""

    control: ControlGroup | None = None
    ranks = 1
    """The number of ranks in it."""

    def __init__(self, parent: ForkServer, pid: int, connection: socket.socket) -> None:
        self.connection = connection
        self.pid = pid
        self._fork_server = parent
        self._suspended_group: SuspendedGroup | None = None
        self._handle = _handle_of(pid)

    def freeze(self) -> bool:
        """Send SIGSTOP to the group and wait until every thread in it is stopped."""
        self._stop()
        deadline_s = time.monotonic() + FREEZE_TIMEOUT_S
        while (group := self._find_suspended()) is None and time.monotonic() < deadline_s:
            time.sleep(0.0001)
            self._stop()  # again, for what a child's exit has woken or a process has begun
        self._suspended_group = group
        is_led = group is not None and group.has_leader
        return is_led or self._ends_with_its_leader()

    def has_stayed_frozen(self) -> bool:
        """Compare the states and CPU times of all processes with those at the freeze."""
        if self._suspended_group is None or self._suspended_group.has_lasted():
            return True
        return self._ends_with_its_leader()

    def thaw(self) -> None:
        """Send SIGCONT to the group."""
        self._suspended_group = None
        self._signal(signal.SIGCONT)
        if self.control is not None:
            self.control.thaw()

    def _stop(self) -> None:
        self._signal(signal.SIGSTOP)
        if self.control is not None:
            self.control.freeze()

    def _find_suspended(self) -> SuspendedGroup | None:
        return SuspendedGroup.of(self.pid, self.control)

    def _ends_with_its_leader(self) -> bool:
        """Whether the worker itself has ended; the processes that it left behind are then killed.

        If it was killed while frozen, its end is reported elsewhere; this only makes sure that no
        other process continues in its place.
        """
        if is_over := ends(self.pid):
            self._signal(signal.SIGKILL)
        return is_over

    def kill(self) -> None:
        """Kill the group, and the worker if it has left it, and wait until they are gone.

        Releasing gigabytes of memory takes the kernel time, which would disturb what runs next.
        """
        self._signal(signal.SIGKILL)
        if self._handle is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            os.close(self._handle)
            self._handle = None
        self.connection.close()
        deadline_s = time.monotonic() + END_TIMEOUT_S
        while not has_ended(self.pid) and time.monotonic() < deadline_s:
            time.sleep(0.001)

    def show(self, split: Path) -> Path:
        """The split's own path."""
        return split

    def use(self) -> Use:
        """Resident memory and CPU time of the worker's main process.

        With several ranks (processes of the group): the largest memory, and the CPU time of all.
        """
        pids = [self.pid] if self.ranks == 1 else members(self.pid)
        uses = [use for pid in pids if (use := _use_of(pid)) is not None]
        memory_bytes = max((use.memory_bytes for use in uses), default=0)
        return Use(memory_bytes=memory_bytes, cpu_s=sum(use.cpu_s for use in uses))

    def exit_reason(self, timeout_s: float) -> str:
        """The worker's exit status or the signal that ended it."""
        try:
            status = self._fork_server.status(self.pid, timeout_s)
        except HarnessError:
            return "its parent process has ended, and the worker with it"
        if status is None:
            return "it closed its wire and did not end"
        return exit_text(status)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def exit_text(status: int) -> str:
    """How a worker with a wait status has ended, in words."""
    if os.WIFSIGNALED(status):
        return f"killed by {signal_name(os.WTERMSIG(status))}"
    if os.WEXITSTATUS(status) == UNCONFINED_STATUS:
        return "it could not be confined; its worker.log says why"
    return f"exited with status {os.WEXITSTATUS(status)}"


def signal_name(number: int) -> str:
    """A signal's name; most real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _handle_of(pid: int) -> int | None:
    """A pidfd, which refers to a process even if its id is reused; None if it is gone."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def _use_of(pid: int) -> Use | None:
    """The use of one process; None if it is gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        fields = stat_fields(Path(f"/proc/{pid}"))
        cpu_s = sum(map(int, fields[11:15])) / _TICKS_PER_S  # its ended children's, too
        return Use(memory_bytes=pages * _PAGE_BYTES, cpu_s=cpu_s)
    return None


class PlainSandbox:
    """Starts workers under process limits."""

    image: str | None = None
    has_ranks = True
    """Ranks connect over the loopback; a sandbox without this attribute cannot have several."""

    def start(self, confinement: Confinement) -> PlainWorkerProcess:
        """Fork a worker in its scratch folder, with its output going to its log."""
        libc.set_dumpable(False)
        parent = fork_server(confinement.framework, confinement.threads, False)
        order: dict[str, object] = {
            "scratch": str(confinement.scratch),
            "memory_gib": confinement.memory_gib,
            "file_mib": confinement.file_mib,
            "cores": confinement.cores,
        }
        worker = PlainWorkerProcess(parent, *fork_worker(parent, order, confinement.log))
        worker.ranks = confinement.ranks
        return worker

    def list_unenforced_protections(self) -> tuple[str, ...]:
        """Named in every record."""
        return (
            "network access",
            "reading files outside the trial",
            "processes that leave the worker's group",
            "threads that leave the worker's cores",
        )
