"""The first process of a worker's container: it forks the worker and ends with it.

It imports the framework, says over its line what is installed here, and gets the worker's order,
log and wire; the referee gets a descriptor that stands for the worker. Nobody in the container can
signal it, for it is the first process of its namespace; when it ends, the kernel ends all in the
container. It ends when the worker does, whose children do not go on in its place, and when the
referee hangs up, killed say.
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
"""The socket at which the referee waits."""
LONGEST_ORDER = 65536
HANDLE = b"w"
"""Goes with the worker's descriptor."""


def serve(line: socket.socket) -> None:
    """Fork the worker of one order, report its end; return when either end is gone."""
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
    """Wait until the worker ends, and say how, or until the referee is gone."""
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
