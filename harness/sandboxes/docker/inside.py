"""The first process of a worker's container: it forks the worker and ends with it.

It imports the framework, reports the installed versions over its line, and receives the worker's
order, log and wire; the referee receives a descriptor of the worker process. As the first process
of its namespace it cannot be signalled from inside the container, and when it exits, the kernel
kills everything in the container. It exits when the worker ends, whose children cannot outlive it,
and when the referee closes the line or dies.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import platform
import select
import signal
import socket
import sys
import warnings
from importlib.metadata import distributions

from harness.frameworks.load import preload
from harness.sandboxes import libc
from harness.sandboxes.become import become_worker

LINE = "/referee/line"
"""The path of the referee's socket."""
LONGEST_ORDER = 65536
HANDLE = b"w"
"""Sent together with the worker's descriptor."""


def serve(line: socket.socket) -> None:
    """Fork the worker of one order and report its end; return when worker or referee is gone."""
    line.sendall(json.dumps(_installed_versions()).encode() + b"\n")
    text, descriptors, _, _ = socket.recv_fds(line, LONGEST_ORDER, 2)
    if not text:
        return
    worker = os.fork()
    if worker == 0:
        line.close()
        order = json.loads(text)
        del text  # the worker can read every frame that it was forked from
        become_worker(order, *descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    _follow(line, worker)


def _follow(line: socket.socket, worker: int) -> None:
    """Wait until the worker ends, and report its status, or until the referee is gone."""
    handle = os.pidfd_open(worker)
    socket.send_fds(line, [HANDLE], [handle])
    poll = select.poll()
    poll.register(line, select.POLLIN)
    poll.register(handle, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if handle in ready:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)  # all that the worker has left behind
            _, status = os.waitpid(worker, 0)
            line.sendall(json.dumps({"status": status}).encode() + b"\n")
            return
        if line.fileno() in ready:
            return


def _installed_versions() -> dict[str, object]:
    """The versions of Python and of all packages."""
    packages = {str(each.metadata["Name"]).lower(): each.version for each in distributions()}
    return {"python": platform.python_version(), "packages": packages}


def main() -> None:
    """Entry point: `harness.sandboxes.start` calls it with FRAMEWORK."""
    warnings.filterwarnings("ignore", message=".*os.fork.*")
    line = socket.socket(socket.AF_UNIX)
    line.connect(LINE)
    preload(sys.argv[1])
    importlib.import_module("harness.worker.serve")
    gc.collect()
    gc.freeze()
    libc.set_dumpable(False)  # or the worker could write into its memory
    serve(line)
    os._exit(0)  # at once: Python's own end would take its time


if __name__ == "__main__":
    main()
