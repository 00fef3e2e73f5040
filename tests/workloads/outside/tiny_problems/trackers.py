"""Trackers of an outside package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness.record.trackers.base import TrackedRun


def note(run: TrackedRun) -> None:
    """Write a line for each run that is sent into the file that `NOTES` names."""
    with Path(os.environ["NOTES"]).open("a", encoding="utf-8") as file:
        file.write(f"{run.key} {run.name}: {run.facts['state']}\n")


def refuse(run: TrackedRun) -> None:
    """Reach nobody, in several lines."""
    raise ConnectionError("no route\nto the tracker")


def hang(run: TrackedRun) -> None:
    """Wait for a process that never ends, and name it in the file that `NOTES` names."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(os.environ["NOTES"]).write_text(str(process.pid), encoding="utf-8")
    process.wait()
