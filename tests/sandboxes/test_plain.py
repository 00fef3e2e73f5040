"""The sandbox `plain`: how a worker's end is named, and that it does end."""

import os
import subprocess
import sys
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


OPENS = """
import os, tempfile
from pathlib import Path
from harness.sandboxes.base import Confinement
from harness.sandboxes.plain import PlainSandbox
place = Path(tempfile.mkdtemp())
confinement = Confinement("torch", 1, 4.0, scratch=place, log=place / "log", view=place)
worker = PlainSandbox().start(confinement)
if os.fork() == 0:
    for pid in (os.getppid(), worker._fork_server._process.pid, worker.pid):
        try:
            open(f"/proc/{pid}/mem", "r+b").close()
            print("open", flush=True)
        except PermissionError:
            print("refused", flush=True)
    os._exit(0)
os.wait()
worker.kill()
"""


def test_nobody_but_root_writes_into_the_memory_of_referee_and_fork_server() -> None:
    nobody = 65534 if os.getuid() == 0 else None
    command, root = [sys.executable, "-c", OPENS], Path(__file__).parents[2]
    try:
        process = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, cwd=root, user=nobody,
            group=nobody,
        )  # fmt: skip
    except PermissionError:
        pytest.skip(f"only root may run {sys.executable}; an ordinary user's run of this test can")
    *guarded, of_worker = process.stdout.split()
    assert guarded == ["refused", "refused"]
    yama = Path("/proc/sys/kernel/yama/ptrace_scope")  # refuses the rest, too
    assert of_worker == "open" or yama.read_text() != "0\n"
