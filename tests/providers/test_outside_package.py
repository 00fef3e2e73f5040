"""A package outside the tree adds one of every kind, and `harness` runs them with no edit here.

The package is `tests/workloads/outside/tiny_problems`: its workload has no data and squared error.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

OUTSIDE = Path(__file__).parents[1] / "workloads" / "outside"


class InstalledPackage:
    """The command line where the package is installed."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder, self.cache = folder, cache

    def __call__(self, *arguments: str) -> str:
        paths = (str(OUTSIDE), os.environ.get("PYTHONPATH", ""))
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "XDG_CACHE_HOME": str(self.cache),
        }
        command = [sys.executable, "-m", "harness", *arguments]
        process = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        return process.stdout + process.stderr


@pytest.fixture
def harness(tmp_path: Path, data_cache: Path) -> InstalledPackage:
    return InstalledPackage(tmp_path, data_cache)


RUN = ("run", "--workload", "bowl", "--submission", "descent", "--out", "runs")


def test_its_names_are_listed(harness: InstalledPackage) -> None:
    assert "bowl" in harness("list", "workloads")
    assert "tiny" in harness("list", "suites")
    assert "descent" in harness("list", "submissions")


def test_its_workload_suite_submission_executor_and_sink_run(
    harness: InstalledPackage, tmp_path: Path
) -> None:
    output = harness(*RUN, "--suite", "tiny", "--executor", "announced")
    assert "announced: runs" in output
    (log,) = tmp_path.glob("runs/bowl/descent-torch/study_1/trial_1-*/results/results.txt")
    assert log.read_text() == "reached\n"
    assert "descent" in harness("score", "runs")
    assert "fits" in harness("verify", "runs")


def test_its_trackers_are_sent_what_has_ended_and_stop_nothing(
    harness: InstalledPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    output = harness(*RUN, "--suite", "tiny", "--sink", "refuse", "--sink", "note")
    assert "refuse did not take trial_1-" in output
    assert "ConnectionError: no route to the tracker" in output
    assert (tmp_path / "notes").read_text().endswith("descent (torch) on bowl, 1.1: reached\n")
    assert "unknown tracker 'nothing'" in harness(*RUN, "--suite", "tiny", "--sink", "nothing")


def test_its_framework_trains(harness: InstalledPackage, tmp_path: Path) -> None:
    output = harness(*RUN, "--suite", "tiny", "--framework", "eager")
    assert list(tmp_path.glob("runs/bowl/descent-eager/study_1/trial_1-*")), output
    assert "reached" in output


def test_a_suite_may_be_a_file(harness: InstalledPackage, tmp_path: Path) -> None:
    text = (OUTSIDE / "tiny_problems" / "suite.toml").read_text()
    (tmp_path / "mine.toml").write_text(text.replace('["line_fit", "bowl"]', '["bowl"]'))
    assert "'tiny', which another suite already uses" in harness(*RUN, "--suite", "mine.toml")
    (tmp_path / "mine.toml").write_text(text)
    assert "reached" in harness(*RUN, "--suite", "mine.toml")
    assert "cannot read" in harness(*RUN, "--suite", "missing.toml")
