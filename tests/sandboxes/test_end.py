"""Whoever kills a worker goes on when the kernel has taken back what it held."""

import socket
import subprocess
import sys
from typing import cast

from harness.sandboxes.fork_client import ForkServer
from harness.sandboxes.plain import PlainWorkerProcess
from harness.sandboxes.suspension import has_ended

LARGE = "import time; held = b'x' * 2**29; print(flush=True); time.sleep(99)"


def test_a_killed_worker_holds_no_memory_any_more() -> None:
    command = [sys.executable, "-c", LARGE]
    with subprocess.Popen(command, process_group=0, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        ours, theirs = socket.socketpair()
        worker = PlainWorkerProcess(cast(ForkServer, None), process.pid, ours)  # it has no parent
        assert not has_ended(process.pid)
        worker.kill()
        assert has_ended(process.pid)
        assert worker.use().memory_bytes == 0
        theirs.close()
