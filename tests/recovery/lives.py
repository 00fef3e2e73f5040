"""Forks a referee for each life of a trial, to be killed: `python lives.py FRAMEWORK CACHE`.

It imports what a referee needs, computes nothing itself, and answers a line `TRIAL STORE` with the
referee's process id and, when that has ended, its wait status.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import traceback
from pathlib import Path

from harness.execution.base import RunOptions
from harness.execution.trial import run_trial
from harness.record.plan import write_plan
from harness.record.recorder import Silent
from harness.record.store import read_record


def live(trial: Path, store: Path, cache: Path) -> int:
    """One life, with a checkpoint at every evaluated grid point; its exit status."""
    options = RunOptions(cache_dir=cache, threads=1, checkpoint_s=0.0)
    try:
        own_trial = read_record(trial).trial
        write_plan([own_trial], store)
        run_trial(own_trial, store, options, Silent())
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    """Fork until the input ends."""
    framework, cache = sys.argv[1], Path(sys.argv[2])
    importlib.import_module(f"harness.frameworks.{framework}.backends")
    gc.freeze()
    for line in sys.stdin:
        trial, store = map(Path, line.split())
        if (pid := os.fork()) == 0:
            os._exit(live(trial, store, cache))
        print(pid, flush=True)
        print(os.waitpid(pid, 0)[1], flush=True)


if __name__ == "__main__":
    main()
