"""The fork server: imports a framework, without running any of it, and forks workers.

It must not compute: a child forked after its parent has computed with several threads hangs.
Requests are JSON lines with two descriptors (the worker's wire and its log); answers are the
worker's process id and, later, its wait status. When the connection closes, all children are
killed. If a worker has its own process namespace, there is an init process between it and this
server.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import warnings
from typing import Any, NamedTuple, NoReturn

from harness.frameworks.load import preload
from harness.sandboxes import libc
from harness.sandboxes.become import become_worker
from harness.sandboxes.kernel import namespaces


class Child(NamedTuple):
    """The process that was forked, and the worker: the same process, or its child."""

    own: int
    worker: int


def serve(control: socket.socket) -> None:
    """Fork workers until the control connection closes."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    children: dict[int, Child] = {}
    while True:
        for descriptor, _ in poll.poll():
            if descriptor in children:
                poll.unregister(descriptor)
                _report_end(control, children.pop(descriptor), descriptor)
                continue
            order, descriptors = _request(control)
            if not order:
                _kill_all(children)
                return
            child = _fork(order, descriptors)
            children[watch := os.pidfd_open(child.own)] = child
            poll.register(watch, select.POLLIN)
            # if its other end is gone meanwhile, the next request is empty and ends this loop
            _answer(control, {"pid": child.worker})


def _request(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Receive one order and its descriptors; an empty order once the other end is gone.

    Its text must not remain in a stack frame, because a worker can read the frames it was forked
    from.
    """
    try:
        line, descriptors, _, _ = socket.recv_fds(control, 65536, 2)
    except ConnectionResetError:
        return {}, []
    return dict(json.loads(line)) if line else {}, list(descriptors)


def _report_end(control: socket.socket, child: Child, descriptor: int) -> None:
    os.close(descriptor)
    _, status = os.waitpid(child.own, 0)
    _answer(control, {"ended": child.worker, "status": status})


def _answer(control: socket.socket, words: dict[str, int]) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        control.sendall(json.dumps(words).encode() + b"\n")


def _kill_all(children: dict[int, Child]) -> None:
    for child in children.values():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.worker, signal.SIGKILL)


def _fork(order: dict[str, Any], descriptors: list[int]) -> Child:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0 and "pids" in order.get("layers", ()):
        _become_init_process(writer, order, *descriptors)
    if pid == 0:
        become_worker(order, *descriptors)
    for descriptor in (writer, *descriptors):
        os.close(descriptor)
    with os.fdopen(reader, "rb") as pipe:
        worker = int(pipe.read() or pid)
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpgid(worker, worker)
    return Child(pid, worker)


def _become_init_process(writer: int, order: dict[str, Any], wire: int, log: int) -> NoReturn:
    """Fork the worker into its own namespace, report its process id, and exit with its status."""
    libc.die_with_parent(signal.SIGKILL)
    namespaces.hold_first_process()
    worker = os.fork()
    if worker == 0:
        become_worker(order, wire, log)
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpgid(worker, worker)
    os.write(writer, str(worker).encode())
    os.closerange(3, max(writer, wire, log) + 1)
    _, status = os.waitpid(worker, 0)
    if os.WIFSIGNALED(status):
        with contextlib.suppress(OSError):  # SIGKILL has no handler to reset
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


def main() -> None:
    """Entry point: `harness.sandboxes.start` calls it with FD FRAMEWORK [own-users]."""
    descriptor, framework, *rest = int(sys.argv[1]), *sys.argv[2:]
    if rest == ["own-users"]:
        namespaces.enter_user_namespace()
    warnings.filterwarnings("ignore", message=".*os.fork.*")
    preload(framework)
    importlib.import_module("harness.worker.serve")
    gc.collect()
    gc.freeze()
    libc.set_dumpable(False)  # whoever wrote into its memory would be in every later trial
    serve(socket.socket(fileno=descriptor))


if __name__ == "__main__":
    main()
