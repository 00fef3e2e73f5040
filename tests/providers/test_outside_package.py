"""A package outside the tree adds one of every kind, and `harness` runs them with no edit here.

The package is `tests/workloads/outside/tiny_problems`: its workload has no data and squared error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

OUTSIDE = Path(__file__).parents[1] / "workloads" / "outside"


class InstalledPackage:
    """The command line where the package is installed."""

    def __init__(self, folder: Path, cache: Path, package: Path = OUTSIDE) -> None:
        self.folder, self.cache, self.package = folder, cache, package

    def __call__(self, *arguments: str) -> str:
        return self.python("-m", "harness", *arguments)

    def python(self, *arguments: str) -> str:
        """The output of Python where the package is installed."""
        paths = (str(self.package), os.environ.get("PYTHONPATH", ""))
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "XDG_CACHE_HOME": str(self.cache),
        }
        command = [sys.executable, *arguments]
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


@pytest.fixture
def harness_without_suite(tmp_path: Path, data_cache: Path) -> InstalledPackage:
    """The package without its suite, which is a file, `mine.toml`."""
    package = shutil.copytree(OUTSIDE, tmp_path / "package")
    (entry_points,) = package.glob("*/entry_points.txt")
    entry_points.write_text(entry_points.read_text().replace("tiny = tiny_problems\n", ""))
    (package / "tiny_problems" / "suite.toml").rename(tmp_path / "mine.toml")
    return InstalledPackage(tmp_path, data_cache, package)


def test_records_of_a_suite_that_was_a_file_are_verified_and_audited(
    harness_without_suite: InstalledPackage,
) -> None:
    harness = harness_without_suite
    assert "reached" in harness(*RUN, "--suite", "mine.toml")
    verified = harness("verify", "runs")
    assert "the budgets of suite 'tiny' are not checked: it is not known here" in verified
    assert "everything fits" in verified
    audit = ("audit", "runs", "--seed", "unknown", "--sandbox", "plain")
    assert "--threads N" in harness(*audit)
    assert "trial 1 of 1: reached" in harness(*audit, "--threads", "1")


def test_a_node_runs_a_trial_of_a_suite_that_was_a_file(
    harness_without_suite: InstalledPackage, tmp_path: Path
) -> None:
    harness = harness_without_suite
    assert "reached" in harness(*RUN, "--suite", "mine.toml")
    (file,) = tmp_path.glob("runs/*/*/*/*/trial.json")
    assert "reached" in harness("trial", str(file), "--store", "node", "--threads", "1")


PLANNING = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from harness import PlanRequest, RunOptions
from harness.providers.registry import add_suite
from harness.runs.remote import prepare_there

class NewProcess:
    def call(self, need, function, *args):
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            return pool.submit(function, *args).result()

if __name__ == "__main__":
    request = PlanRequest("bowl", "descent", add_suite(Path("mine.toml")))
    (plan,), _ = prepare_there([request], RunOptions(threads=1), [], NewProcess(), print)
    print("planned in", plan.trials[0].suite)
"""


def test_another_machine_plans_trials_of_a_suite_that_is_a_file_here(
    harness_without_suite: InstalledPackage, tmp_path: Path
) -> None:
    (tmp_path / "planning.py").write_text(PLANNING)
    assert "planned in tiny" in harness_without_suite.python("planning.py")
