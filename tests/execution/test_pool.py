"""The pool's processes end with the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.display.endings import EndingsDisplay
from harness.execution.base import RunOptions
from harness.execution.pool import PoolExecutor
from harness.plan.plan import PlanRequest, plan

CODE = """
import os, sys, time
from pathlib import Path
from harness.display.endings import EndingsDisplay
from harness.execution.pool import PoolExecutor

if __name__ == "__main__":
    with PoolExecutor(Path("."), EndingsDisplay(print)) as pool:
        print(pool._processes.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""


def is_alive(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_killed_pool_leaves_no_process(tmp_path: Path) -> None:
    script = tmp_path / "pool.py"
    script.write_text(CODE)
    parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent:
        child = int(parent.stdout.readline())
        assert is_alive(child)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    deadline = time.monotonic() + 20.0
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(child)


def test_a_killed_process_is_named_with_what_to_do(tmp_path: Path) -> None:
    trials = plan(PlanRequest("mlp", "adamw")).trials
    with PoolExecutor(tmp_path, EndingsDisplay(print)) as pool:
        os.kill(pool._processes.submit(os.getpid).result(), signal.SIGKILL)
        with pytest.raises(HarnessError, match="was killed") as error:
            pool.run(trials, RunOptions())
    assert "re-running skips finished trials" in error.value.hint
