"""The parent of workers: imports a framework, runs none of it, and forks one child a request.

It must import only: a child forked after the parent has computed with several threads hangs.
Requests come as JSON lines with two descriptors (the worker's wire, its log); answers are the
child's process id and, later, its wait status. When the line closes, all children are killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
PRELOADED = {
    "torch": (
        "torch",
        "torch._dynamo",
        "harness.frameworks.torch_adapter",
        "harness.worker.worker",
    ),
    "jax": ("jax", "optax", "harness.frameworks.jax_adapter", "harness.worker.worker"),
}


def serve(control: socket.socket) -> None:
    """Fork workers until the control line closes."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    children: dict[int, int] = {}
    while True:
        for descriptor, _ in poll.poll():
            if descriptor in children:
                poll.unregister(descriptor)
                _report_end(control, children.pop(descriptor), descriptor)
                continue
            line, descriptors = _request(control)
            if not line:
                _kill_all(children)
                return
            pid = _fork(control, json.loads(line), descriptors)
            children[watch := os.pidfd_open(pid)] = pid
            poll.register(watch, select.POLLIN)
            control.sendall(json.dumps({"pid": pid}).encode() + b"\n")


def _request(control: socket.socket) -> tuple[bytes, list[int]]:
    """One request and its descriptors; nothing once the other end is gone."""
    try:
        line, descriptors, _, _ = socket.recv_fds(control, 65536, 2)
    except ConnectionResetError:
        return b"", []
    return line, list(descriptors)


def _report_end(control: socket.socket, pid: int, descriptor: int) -> None:
    os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):
        control.sendall(json.dumps({"ended": pid, "status": status}).encode() + b"\n")


def _kill_all(children: dict[int, int]) -> None:
    for pid in children.values():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _fork(control: socket.socket, order: dict[str, Any], descriptors: list[int]) -> int:
    pid = os.fork()
    if pid == 0:
        control.close()
        _become_worker(order, *descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpgid(pid, pid)
    return pid


def _become_worker(order: dict[str, Any], wire: int, log: int) -> NoReturn:
    status = 1
    try:
        with contextlib.suppress(PermissionError):
            os.setpgid(0, 0)
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        # A worker ends by SIGKILL, which would lose what still waits in a buffer.
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        os.chdir(order["scratch"])
        os.environ["TMPDIR"] = tempfile.tempdir = order["scratch"]
        _limit(order["memory_gib"])
        gc.unfreeze()
        from harness.worker.worker import serve_trial

        serve_trial(socket.socket(fileno=wire))
        status = 0
    finally:
        os._exit(status)


def _limit(memory_gib: float) -> None:
    """Bound private memory, file size and core dumps; RLIMIT_DATA counts anonymous mappings."""
    memory = int(memory_gib * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def main() -> None:
    """Entry point: `python -m harness.worker.nursery FD FRAMEWORK`."""
    descriptor, framework = int(sys.argv[1]), sys.argv[2]
    warnings.filterwarnings("ignore", message=".*os.fork.*")
    for name in PRELOADED[framework]:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    serve(socket.socket(fileno=descriptor))


if __name__ == "__main__":
    main()
