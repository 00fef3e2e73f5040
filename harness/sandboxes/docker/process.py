"""The referee's handle of a worker in a container, using its control group and its line."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.sandboxes.base import Use
from harness.sandboxes.docker.groups import ContainerGroup
from harness.sandboxes.docker.line import Line
from harness.sandboxes.plain import FREEZE_TIMEOUT_S, exit_text
from harness.sandboxes.suspension import DYING_TIMEOUT_S, SLACK_NS
from harness.sandboxes.view import show

if TYPE_CHECKING:
    from docker.models.containers import Container

VIEW = Path("/data")
"""The path of the training data in the container."""


class ContainerWorkerProcess:
    """A worker in a container of its own.

    Args:
        container: the running container.
        pid: the machine-wide id of its first process.
        worker: a descriptor of the worker process, closed at the end.
        group: freezes it and reports its use.
        line: to its first process.
        connection: the referee's end of the worker's wire.
        view: the folder mounted at `VIEW`.
        ranks: how many processes train together in it.
    """

    def __init__(
        self,
        container: Container,
        pid: int,
        group: ContainerGroup,
        *,
        worker: int,
        line: Line,
        connection: socket.socket,
        view: Path,
        ranks: int,
    ) -> None:
        self.connection = connection
        self._container, self._group, self._line, self._view = container, group, line, view
        self._ranks, self._worker = ranks, worker
        self._handle: int | None = os.pidfd_open(pid)
        self._frozen_ns: int | None = None

    def freeze(self) -> bool:
        """Freeze the container's control group and wait until everything in it is frozen.

        If the worker itself has ended, the processes that it left behind are killed.
        """
        deadline_s = time.monotonic() + FREEZE_TIMEOUT_S
        try:
            self._group.freeze()
            while not (is_frozen := self._group.is_frozen) and time.monotonic() < deadline_s:
                time.sleep(0.0001)
            self._frozen_ns = self._group.processor_ns
        except (OSError, StopIteration):  # the group is gone, and with it all that was in it
            return self._ends()
        if _has_ended(self._worker, 0.0):
            self._end()
            return True
        return is_frozen or self._ends()

    def has_stayed_frozen(self) -> bool:
        """Whether the group is still frozen and has used no CPU time since."""
        if self._frozen_ns is None:
            return True
        try:
            used_ns = self._group.processor_ns - self._frozen_ns
            return (self._group.is_frozen and used_ns <= SLACK_NS) or self._ends()
        except (OSError, StopIteration):
            return self._ends()

    def thaw(self) -> None:
        """Let it continue."""
        self._frozen_ns = None
        with contextlib.suppress(OSError):
            self._group.thaw()

    def show(self, split: Path) -> Path:
        """Link a split into the mounted folder; returns its path in the container."""
        show(split, self._view)
        return VIEW

    def kill(self) -> None:
        """Kill everything in the container and remove it; safe to call twice.

        Raises:
            HarnessError: the engine is gone; the processes are killed, but the container remains.
        """
        if self._handle is None:
            return
        self._end()
        os.close(self._worker)
        os.close(self._handle)
        self._handle = None
        self._line.close()
        self.connection.close()
        remove(self._container)

    def use(self) -> Use:
        """Memory and CPU time of everything in the container; with several ranks the mean memory.

        The kernel counts and limits all ranks together; a rank that takes more than its share runs
        into its own process limit.
        """
        try:
            use = self._group.use()
        except (OSError, KeyError, StopIteration):
            return Use(memory_bytes=0, cpu_s=0.0)
        return Use(memory_bytes=use.memory_bytes // self._ranks, cpu_s=use.cpu_s)

    def exit_reason(self, timeout_s: float) -> str:
        """The worker's exit status or the signal that ended it."""
        try:
            message = self._line.receive(timeout_s)
        except TimeoutError:
            return "it closed its wire and did not end"
        return exit_text(int(message["status"])) if message else "its container has ended"

    def _end(self) -> None:
        """Kill the first process, and thereby all others."""
        if self._handle is not None:
            with contextlib.suppress(PermissionError, ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        self.thaw()  # frozen processes of version 1 do not hear of their end

    def _ends(self) -> bool:
        """Whether the container's first process has ended, or does within half a second."""
        return self._handle is None or _has_ended(self._handle, DYING_TIMEOUT_S)


def _has_ended(handle: int, timeout_s: float) -> bool:
    """Whether the process of a descriptor ends within the timeout."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(timeout_s * 1000.0))


def remove(container: Container) -> None:
    """Kill a container and remove it with its files, unless that has been done or is in progress.

    Raises:
        HarnessError: the engine does not answer.
    """
    from docker.errors import APIError, NotFound

    try:
        container.remove(force=True, v=True)
    except NotFound:
        return
    except APIError as error:
        if error.status_code != HTTPStatus.CONFLICT:
            raise
    except OSError as error:
        raise HarnessError(
            f"the container engine no longer answers: {error}",
            "start it and run the same command again: it cleans up and continues",
        ) from error
