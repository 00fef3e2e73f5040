"""Which cores a trial gets, and that two at once do not get the same."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from harness.machine import cores
from harness.machine.cores import allowed_cores, claim_cores, pin_cores, taken_cores, text

HOLD = """
import sys
from harness.machine import cores
from harness.machine.cores import claim_cores
cores._CLAIM = sys.argv[1]
with claim_cores(1) as (own, _):
    print(*own, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def names_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims that no trial beside these tests sees."""
    monkeypatch.setattr(cores, "_CLAIM", f"guided-descent-test-{os.getpid()}-")


def holder() -> subprocess.Popen[str]:
    command = [sys.executable, "-c", HOLD, cores._CLAIM]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_core_is_another_process_until_that_is_killed() -> None:
    with holder() as other:
        assert other.stdout is not None
        theirs = int(other.stdout.readline())
        assert theirs in taken_cores()
        with claim_cores(len(allowed_cores())) as (own, shared):
            assert own == allowed_cores()
            assert theirs in shared
        if len(allowed_cores()) > 1:
            with claim_cores(1) as (own, shared):
                assert (theirs in own, shared) == (False, ())
        other.kill()
    deadline_s = time.monotonic() + 10.0
    while theirs in taken_cores() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    with claim_cores(len(allowed_cores())) as (_, shared):
        assert theirs not in shared


def test_the_referee_keeps_off_the_workers_cores_where_there_are_others() -> None:
    before = os.sched_getaffinity(0)
    with pin_cores(1) as placement:
        assert len(placement.worker) == 1
        assert os.sched_getaffinity(0) == set(placement.referee)
        assert bool(set(placement.referee) & set(placement.worker)) == (len(before) == 1)
    assert os.sched_getaffinity(0) == before


def test_a_referee_that_would_have_too_few_cores_keeps_all() -> None:
    with pin_cores(len(allowed_cores())) as placement:
        assert placement.referee == placement.worker == allowed_cores()


def test_siblings_of_a_core_come_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "_siblings", lambda core: [core % 4, core % 4 + 4])
    assert cores._in_order(range(8)) == list(range(8))
    monkeypatch.setattr(cores, "_siblings", lambda core: [core // 2 * 2, core // 2 * 2 + 1])
    assert cores._in_order(range(6)) == [0, 2, 4, 1, 3, 5]


def test_cores_in_words() -> None:
    assert [text(placement) for placement in ((), (3,), (0, 1, 2, 5))] == ["none", "3", "0-2,5"]
