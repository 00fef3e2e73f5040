"""Turns a process that was forked for a trial into its worker."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import sys
import traceback
from typing import Any, NoReturn

from harness.sandboxes import libc
from harness.sandboxes.base import UNCONFINED_STATUS
from harness.sandboxes.kernel.confine import close_network, confine

WIRE = 3
"""The descriptor of a worker's wire, its only one besides standard input and output."""


def become_worker(order: dict[str, Any], wire: int, log: int) -> NoReturn:
    """Make a forked process the worker of one trial: confine it, serve the wire, and exit.

    Args:
        order: the order for `harness.sandboxes.kernel.confine.confine`; it is emptied.
        wire: the descriptor of its socket to the referee.
        log: the descriptor for its output.
    """
    status = UNCONFINED_STATUS
    try:
        libc.set_dumpable(True)  # or it could not write what the kernel is to know of it
        os.setpgid(0, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        wire = os.dup2(wire, WIRE)
        os.set_inheritable(wire, False)
        os.closerange(WIRE + 1, os.sysconf("SC_OPEN_MAX"))
        # A worker ends by SIGKILL, which would lose what still waits in a buffer.
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        confine(order)
        close = close_network(order)
        # No compiled file from beside a source is run in its place.
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = f"{order['scratch']}/pycache"
        order.clear()
        status = 1
        gc.unfreeze()
        from harness.worker.serve import serve_trial

        serve_trial(socket.socket(fileno=wire), close)
        status = 0
    finally:
        with contextlib.suppress(OSError):  # its log may be full
            if status != 0:
                traceback.print_exc()
        os._exit(status)
