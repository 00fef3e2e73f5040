"""A group is frozen only if nothing in it has used the processor since it was stopped."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast

import pytest

from harness.machine.processes import threads_of
from harness.sandboxes.fork_client import ForkServer
from harness.sandboxes.plain import PlainWorkerProcess
from harness.sandboxes.suspension import SuspendedGroup, has_ended, members

Start = Callable[[str], "subprocess.Popen[bytes]"]
BUSY = "while True: pass"
LARGE = "import time; held = b'x' * 2**29; print(flush=True); time.sleep(99)"
WITH_DEAD_CHILD = """
import os, time
if (pid := os.fork()) == 0:
    os._exit(0)
print(pid, flush=True)
time.sleep(99)
"""
NOBODY = 2**22
"""The number of no process: the kernel's are smaller."""
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


def stop(process: subprocess.Popen[bytes]) -> SuspendedGroup:
    os.killpg(process.pid, signal.SIGSTOP)
    while (still := SuspendedGroup.of(process.pid)) is None:
        time.sleep(0.001)
    return still


def test_a_group_that_runs_does_not_stand_still(start: Start) -> None:
    assert SuspendedGroup.of(start(BUSY).pid) is None


def test_a_stopped_group_lasts(start: Start) -> None:
    still = stop(start(BUSY))
    time.sleep(0.05)
    assert still.has_lasted()


def test_a_group_that_runs_again_has_not_lasted(start: Start) -> None:
    still = stop(process := start(BUSY))
    os.killpg(process.pid, signal.SIGCONT)
    assert not still.has_lasted()


def test_a_group_that_ran_and_stopped_again_has_not_lasted(start: Start) -> None:
    still = stop(process := start(BUSY))
    os.killpg(process.pid, signal.SIGCONT)
    time.sleep(0.05)
    stop(process)
    assert not still.has_lasted()


def test_children_are_looked_at_too(start: Start) -> None:
    process = start(WITH_CHILD)
    assert process.stdout is not None
    process.stdout.readline()
    still = stop(process)
    (child,) = set(members(process.pid)) - {process.pid}
    os.kill(child, signal.SIGKILL)
    assert not still.has_lasted()


def with_dead_child(start: Start) -> tuple[SuspendedGroup, int]:
    """A stopped group with a zombie in it, and the zombie."""
    process = start(WITH_DEAD_CHILD)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    while not all(thread.has_ended for thread in threads_of(child)):
        time.sleep(0.001)
    return stop(process), child


def test_a_child_that_was_begun_and_has_ended_meanwhile_shows(start: Start) -> None:
    still, child = with_dead_child(start)
    assert still.has_lasted()
    before = {pid: of for pid, of in still.processes.items() if pid != child}
    assert not replace(still, processes=before).has_lasted()


def test_a_zombie_may_be_buried_by_whoever_is_not_frozen(start: Start) -> None:
    still = stop(start(BUSY))
    (of_leader,) = still.processes.values()
    before = {NOBODY: of_leader._replace(has_ended=True), **still.processes}
    assert replace(still, processes=before).has_lasted()
    assert not replace(still, processes={**before, NOBODY: of_leader}).has_lasted()


def test_the_time_of_children_that_were_waited_for_counts(start: Start) -> None:
    still = stop(process := start(BUSY))
    (member,) = still.processes.values()
    less = member._replace(use=member.use._replace(children_ticks=-1))
    assert not replace(still, processes={process.pid: less}).has_lasted()


def test_a_group_whose_member_exits_is_not_frozen(start: Start) -> None:
    process = start(LARGE)
    assert process.stdout is not None
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGKILL)
    looks = []
    while not (ended := has_ended(process.pid)):
        looks.append((SuspendedGroup.of(process.pid), has_ended(process.pid)))
    assert ended
    assert all(result is None or is_over for result, is_over in looks)


def test_what_a_leader_leaves_behind_ends_with_it(start: Start) -> None:
    process = start(WITH_CHILD)
    assert process.stdout is not None
    process.stdout.readline()
    ours, theirs = socket.socketpair()
    worker = PlainWorkerProcess(cast(ForkServer, None), process.pid, ours)  # it has no parent
    assert worker.freeze()
    process.kill()
    assert worker.has_stayed_frozen()
    worker.kill()
    assert has_ended(process.pid)
    theirs.close()
