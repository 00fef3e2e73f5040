"""The sandbox `plain`: process limits, freeze by signal; for every Linux machine.

Workers are forked by a fork server, a process that has imported the framework and nothing of any
submission, so that a trial starts in milliseconds. A fork's child belongs to the fork server; the
referee signals it by process group and hears of its end from the fork server.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from harness.core.errors import HarnessError
from harness.machine.variables import SPINNING
from harness.sandboxes.base import UNCONFINED_STATUS, Confinement, Use
from harness.sandboxes.suspension import SuspendedGroup, has_ended, stat_fields

START_TIMEOUT_S = 120.0
FREEZE_TIMEOUT_S = 2.0
END_TIMEOUT_S = 10.0
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**40)}
"""glibc gives freed memory back to the kernel and asks for it again in the next step: on a small
transformer the page faults take a twentieth of the time. Its largest threshold is 32 MiB."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class ForkServer:
    """A preloaded parent of workers and the line to it."""

    def __init__(self, framework: str, threads: int, has_own_users: bool) -> None:
        ours, theirs = socket.socketpair()
        command = [
            sys.executable,
            "-P",  # the working directory may hold anyone's code
            "-m",
            "harness.sandboxes.fork_server",
            str(theirs.fileno()),
            framework,
        ]
        command += ["own-users"] * has_own_users
        self._process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env=_environment(threads),
        )
        theirs.close()
        ours.settimeout(START_TIMEOUT_S)
        self._control = ours
        self._ended: dict[int, int] = {}

    @property
    def is_alive(self) -> bool:
        """Whether it can fork workers; an unconfined one may have killed it."""
        return self._process.poll() is None

    def close(self) -> None:
        """Hang up, upon which the fork server kills what it has forked and ends."""
        self._control.close()
        self._process.wait()

    def fork(self, order: dict[str, object], descriptors: list[int]) -> int:
        """Fork a worker that gets `descriptors` (wire, log) and return its process id."""
        try:
            socket.send_fds(self._control, [json.dumps(order).encode() + b"\n"], descriptors)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _has_ended() from error
        while "pid" not in (line := self._read(START_TIMEOUT_S)):
            self._note(line)
        return int(line["pid"])

    def status(self, pid: int, timeout_s: float) -> int | None:
        """A worker's wait status, or None if it has not ended in time."""
        deadline_s = time.monotonic() + timeout_s
        while pid not in self._ended and (left_s := deadline_s - time.monotonic()) > 0.0:
            with contextlib.suppress(TimeoutError):
                self._note(self._read(left_s))
        return self._ended.pop(pid, None)

    def _note(self, line: dict[str, int]) -> None:
        self._ended[line["ended"]] = line["status"]

    def _read(self, timeout_s: float) -> dict[str, int]:
        self._control.settimeout(max(timeout_s, 0.001))
        text = self._control_line()
        if not text:
            raise _has_ended()
        return dict(json.loads(text))

    def _control_line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n"):
            try:
                byte = self._control.recv(1)
            except ConnectionResetError:
                return b""
            if not byte:
                return b""
            line += byte
        return line


def _has_ended() -> HarnessError:
    return HarnessError(
        "the parent process of the workers has ended",
        "run the same command again; if it recurs, see the memory that is free",
    )


_STARTED: dict[tuple[str, int, bool], ForkServer] = {}


def fork_server(framework: str, threads: int, has_own_users: bool) -> ForkServer:
    """This process's fork server for a framework: kept while it lives, ended when this process
    ends.

    Args:
        framework: what it imports.
        threads: how many its workers may compute with.
        has_own_users: whether it lives in a user namespace of its own.
    """
    key = framework, threads, has_own_users
    if key not in _STARTED or not _STARTED[key].is_alive:
        _STARTED[key] = ForkServer(*key)
        atexit.register(_STARTED[key].close)
    return _STARTED[key]


class PlainWorkerProcess:
    """A worker forked by the fork server, leader of its own process group."""

    def __init__(self, parent: ForkServer, pid: int, connection: socket.socket) -> None:
        self.connection = connection
        self.pid = pid
        self._fork_server = parent
        self._suspended: SuspendedGroup | None = None
        self._handle = _handle_of(pid)

    def freeze(self) -> bool:
        """Send SIGSTOP to the group and wait until every thread in it is stopped."""
        self._signal(signal.SIGSTOP)
        deadline_s = time.monotonic() + FREEZE_TIMEOUT_S
        while (suspended := SuspendedGroup.of(self.pid)) is None and time.monotonic() < deadline_s:
            time.sleep(0.0001)
        self._suspended = suspended
        return suspended is not None

    def has_stayed_frozen(self) -> bool:
        """Compare states and processor times with those at the freeze."""
        return self._suspended is None or self._suspended.has_lasted()

    def thaw(self) -> None:
        """Send SIGCONT to the group."""
        self._suspended = None
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill the group and a worker that has left it, and wait until nothing of them is left.

        The kernel takes its time to give gigabytes back, and a machine that is busy with that is
        not the one that comes after.
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
        """Where the worker finds a split: in its place."""
        return split

    def use(self) -> Use:
        """Resident memory and processor time of the worker's main process."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
            fields = stat_fields(Path(f"/proc/{self.pid}"))
            cpu_s = (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
            return Use(memory_bytes=pages * _PAGE_BYTES, cpu_s=cpu_s)
        return Use(memory_bytes=0, cpu_s=0.0)

    def exit_reason(self, timeout_s: float) -> str:
        """The worker's exit status or the signal that ended it."""
        try:
            status = self._fork_server.status(self.pid, timeout_s)
        except HarnessError:
            return "its parent process has ended, and the worker with it"
        if status is None:
            return "it closed its wire and did not end"
        if os.WIFSIGNALED(status):
            return f"killed by {signal_name(os.WTERMSIG(status))}"
        if os.WEXITSTATUS(status) == UNCONFINED_STATUS:
            return "it could not be confined; its worker.log says why"
        return f"exited with status {os.WEXITSTATUS(status)}"

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def signal_name(number: int) -> str:
    """A signal's name; most real-time signals have none."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _handle_of(pid: int) -> int | None:
    """A descriptor that stands for a process even when its number is another's; None if gone."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


def forked(parent: ForkServer, order: dict[str, object], log: Path) -> tuple[int, socket.socket]:
    """A new worker's process id and the referee's end of its wire."""
    try:
        output = log.open("ab")
    except OSError as error:
        raise HarnessError(
            f"cannot write {log}: {error}", "make it writable and run the same command again"
        ) from error
    ours, theirs = socket.socketpair()
    with output as file, theirs:
        try:
            return parent.fork(order, [theirs.fileno(), file.fileno()]), ours
        except BaseException:
            ours.close()
            raise


class PlainSandbox:
    """Starts workers under process limits."""

    def start(self, confinement: Confinement) -> PlainWorkerProcess:
        """Fork a worker in its scratch folder, its output going to its log."""
        parent = fork_server(confinement.framework, confinement.threads, False)
        order: dict[str, object] = {
            "scratch": str(confinement.scratch),
            "memory_gib": confinement.memory_gib,
            "file_mib": confinement.file_mib,
            "cores": confinement.cores,
        }
        return PlainWorkerProcess(parent, *forked(parent, order, confinement.log))

    def unenforced(self) -> tuple[str, ...]:
        """Named in every record."""
        return (
            "network access",
            "reading files outside the trial",
            "processes that leave the worker's group",
            "threads that leave the worker's cores",
        )


def _environment(threads: int) -> dict[str, str]:
    """A cleaned environment: what finding libraries needs, and how threads are used."""
    kept = (
        "PATH",
        "HOME",
        "LANG",
        "LD_LIBRARY_PATH",
        "CUDA_VISIBLE_DEVICES",
        "TMPDIR",
    )
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    threading = SPINNING | dict.fromkeys(names, str(threads))
    python = {"PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(_search_path())}
    return environment | ALLOCATOR | threading | python


def _search_path() -> list[str]:
    """Where this process imports from, but for the working directory if this package is not there.

    What an import path finds in the working directory comes to a worker as a hashed copy.
    """
    ours, here = Path(__file__).resolve().parents[2], Path.cwd()
    return [place for place in sys.path if place and (Path(place) != here or here == ours)]
