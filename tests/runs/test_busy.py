"""What a run says of a machine that others keep busy."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from harness.machine.cores import allowed_cores
from harness.runs.busy import busy_remark


@contextmanager
def busy_processors() -> Iterator[None]:
    """A program that computes on each of the processors."""
    spin = [sys.executable, "-c", "print(flush=True)\nwhile True: pass"]
    running = [subprocess.Popen(spin, stdout=subprocess.PIPE) for _ in allowed_cores()]
    try:
        for process in running:
            assert process.stdout is not None
            process.stdout.readline()
        yield
    finally:
        for process in running:
            process.kill()
            process.communicate()


def test_a_busy_machine_is_named() -> None:
    with busy_processors():
        assert "this machine is busy: other programs take" in busy_remark()
