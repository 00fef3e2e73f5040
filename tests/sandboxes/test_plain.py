"""The sandbox `plain`: how a worker's end is named, and that it does end."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.sandboxes.base import Confinement
from harness.sandboxes.plain import PlainSandbox, PlainWorkerProcess, signal_name


@pytest.mark.parametrize("number", range(1, 65))
def test_every_signal_has_a_name(number: int) -> None:
    assert signal_name(number)


def test_signals_without_a_name_have_their_number() -> None:
    assert (signal_name(9), signal_name(35)) == ("SIGKILL", "signal 35")


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[PlainWorkerProcess]:
    (scratch := tmp_path / "scratch").mkdir()
    (view := tmp_path / "view").mkdir()
    started = PlainSandbox().start(
        Confinement("torch", 1, memory_gib=4.0, scratch=scratch, log=tmp_path / "log", view=view)
    )
    yield started
    started.kill()


def test_a_worker_is_first_in_line_for_the_out_of_memory_killer(worker: PlainWorkerProcess) -> None:
    line = Path(f"/proc/{worker.pid}/oom_score_adj")
    deadline_s = time.monotonic() + 10.0
    while line.read_text() != "1000\n" and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert line.read_text() == "1000\n"
