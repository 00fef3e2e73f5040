"""The referee's client of a fork server, which forks the workers.

An unconfined worker can stop or kill the process that forked it. Every wait for that process
therefore has a timeout, and a stopped one is replaced.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import time
from pathlib import Path

from harness.core.errors import HarnessError
from harness.machine.processes import threads_of
from harness.machine.variables import SPINNING
from harness.sandboxes import start
from harness.sandboxes.log import open_log

ANSWER_TIMEOUT_S = 120.0
"""Timeout of a fork, which for the first one includes importing the framework."""
CLOSE_TIMEOUT_S = 10.0
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**40)}
"""glibc gives freed memory back to the kernel and asks for it again in the next step: on a small
transformer the page faults take a twentieth of the time. Its largest threshold is 32 MiB."""


class ForkServer:
    """A fork server process and the connection to it."""

    def __init__(self, framework: str, threads: int, has_own_users: bool) -> None:
        self._control, theirs = socket.socketpair()
        options = ["own-users"] * has_own_users
        self._process = subprocess.Popen(
            start.command(
                "harness.sandboxes.fork_server", str(theirs.fileno()), framework, *options
            ),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            cwd=start.FOLDER,
            env=start.environment(_environment(threads)),
        )
        theirs.close()
        self._buffer = b""
        self._exit_statuses: dict[int, int] = {}
        self._has_missed_answer = False
        """Whether an answer may still come, which would be taken for that to a later request."""

    @property
    def is_alive(self) -> bool:
        """Whether it can fork workers; an unconfined worker may have killed or stopped it."""
        return not (self._has_missed_answer or self._is_stopped or self._process.poll() is not None)

    def close(self) -> None:
        """Close the connection; the fork server then kills all its children and exits."""
        self._control.close()
        try:
            self._process.wait(0.0 if self._is_stopped else CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its workers end with it
            self._process.wait()

    def fork(self, order: dict[str, object], descriptors: list[int]) -> int:
        """Fork a worker that gets `descriptors` (wire, log) and return its process id.

        Raises:
            HarnessError: the fork server has ended or does not answer.
        """
        deadline_s = time.monotonic() + ANSWER_TIMEOUT_S
        self._control.settimeout(ANSWER_TIMEOUT_S)
        try:
            socket.send_fds(self._control, [json.dumps(order).encode() + b"\n"], descriptors)
            while "pid" not in (line := self._read(deadline_s)):
                self._note(line)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _ended_error() from error
        except TimeoutError as error:
            self._has_missed_answer = True
            raise _silence_error() from error
        return int(line["pid"])

    def status(self, pid: int, timeout_s: float) -> int | None:
        """A worker's wait status, or None if it has not ended in time."""
        deadline_s = time.monotonic() + timeout_s
        with contextlib.suppress(TimeoutError):
            while pid not in self._exit_statuses:
                self._note(self._read(deadline_s))
        return self._exit_statuses.pop(pid, None)

    @property
    def _is_stopped(self) -> bool:
        return any(thread.is_stopped for thread in threads_of(self._process.pid))

    def _note(self, line: dict[str, int]) -> None:
        self._exit_statuses[line["ended"]] = line["status"]

    def _read(self, deadline_s: float) -> dict[str, int]:
        """The next line; an incomplete one is kept for the next call."""
        while b"\n" not in self._buffer:
            self._control.settimeout(max(deadline_s - time.monotonic(), 0.001))
            try:
                part = self._control.recv(4096)
            except ConnectionResetError:
                part = b""
            if not part:
                raise _ended_error()
            self._buffer += part
        line, _, self._buffer = self._buffer.partition(b"\n")
        return dict(json.loads(line))


def _ended_error() -> HarnessError:
    return HarnessError(
        "the parent process of the workers has ended",
        "run the same command again; if it recurs, see the memory that is free",
    )


def _silence_error() -> HarnessError:
    return HarnessError(
        f"the parent process of the workers has not answered for {ANSWER_TIMEOUT_S:g} s",
        "run the same command again; with --sandbox kernel no submission can stop that process",
    )


_SERVERS: dict[tuple[str, int, bool], ForkServer] = {}


def fork_server(framework: str, threads: int, has_own_users: bool) -> ForkServer:
    """This process's fork server for a framework, created on first use and closed on exit.

    Args:
        framework: the framework to import.
        threads: CPU threads of its workers.
        has_own_users: whether it runs in its own user namespace.
    """
    key = framework, threads, has_own_users
    if key in _SERVERS and not _SERVERS[key].is_alive:
        _SERVERS.pop(key).close()
    if key not in _SERVERS:
        _SERVERS[key] = ForkServer(*key)
        atexit.register(_SERVERS[key].close)
    return _SERVERS[key]


def fork_worker(
    parent: ForkServer, order: dict[str, object], log: Path
) -> tuple[int, socket.socket]:
    """Fork a worker; returns its process id and the referee's end of its wire."""
    output = open_log(log)
    ours, theirs = socket.socketpair()
    with output as file, theirs:
        try:
            return parent.fork(order, [theirs.fileno(), file.fileno()]), ours
        except BaseException:
            ours.close()
            raise


def _environment(threads: int) -> dict[str, str]:
    """A minimal environment: variables to find libraries, and the settings for threads."""
    names = (
        "PATH",
        "HOME",
        "LANG",
        "LD_LIBRARY_PATH",
        "PYTHONPATH",
        "CUDA_VISIBLE_DEVICES",
        "CUDA_DEVICE_ORDER",  # or this process and its workers would number GPUs differently
        "TMPDIR",
    )
    environment = {name: os.environ[name] for name in names if name in os.environ}
    return environment | computing(threads)


def computing(threads: int) -> dict[str, str]:
    """The variables that affect a worker's computation: threads, allocator, hash seed."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    threading = SPINNING | dict.fromkeys(names, str(threads))
    return ALLOCATOR | threading | {"PYTHONHASHSEED": "0"}
