"""A group is frozen only if nothing in it has used the processor since it was stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from harness.sandboxes.suspension import SuspendedGroup, has_ended, members

Start = Callable[[str], "subprocess.Popen[bytes]"]
BUSY = "while True: pass"
WITH_CHILD = "import os, time; os.fork(); print(flush=True); time.sleep(99)"


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a program in a group of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def started_with(code: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", code]
        started.append(subprocess.Popen(command, process_group=0, stdout=subprocess.PIPE))
        return started[-1]

    yield started_with
    for process in started:
        if not has_ended(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def stopped(process: subprocess.Popen[bytes]) -> SuspendedGroup:
    os.killpg(process.pid, signal.SIGSTOP)
    while (still := SuspendedGroup.of(process.pid)) is None:
        time.sleep(0.001)
    return still


def test_a_group_that_runs_does_not_stand_still(start: Start) -> None:
    assert SuspendedGroup.of(start(BUSY).pid) is None


def test_a_stopped_group_lasts(start: Start) -> None:
    still = stopped(start(BUSY))
    time.sleep(0.05)
    assert still.has_lasted()


def test_a_group_that_runs_again_has_not_lasted(start: Start) -> None:
    still = stopped(process := start(BUSY))
    os.killpg(process.pid, signal.SIGCONT)
    assert not still.has_lasted()


def test_a_group_that_ran_and_stopped_again_has_not_lasted(start: Start) -> None:
    still = stopped(process := start(BUSY))
    os.killpg(process.pid, signal.SIGCONT)
    time.sleep(0.05)
    stopped(process)
    assert not still.has_lasted()


def test_children_are_looked_at_too(start: Start) -> None:
    process = start(WITH_CHILD)
    assert process.stdout is not None
    process.stdout.readline()
    still = stopped(process)
    (child,) = set(members(process.pid)) - {process.pid}
    os.kill(child, signal.SIGKILL)
    assert not still.has_lasted()


def test_a_leader_that_was_killed_has_done_nothing(start: Start) -> None:
    still = stopped(process := start(BUSY))
    os.killpg(process.pid, signal.SIGKILL)
    assert still.has_lasted()
    assert has_ended(process.pid)
