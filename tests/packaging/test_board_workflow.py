"""The workflow that adds a bundle by pull request: its own shell steps, in a clone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.bundles import write_bundle
from tests.record.conftest import SampleStore

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / ".github" / "workflows" / "board.yml"
INSTALLS = "make "
"""What the tests' own environment stands for."""


def steps(job: str) -> list[str]:
    """The shell steps of a job, but for those that install."""
    text = re.split(r"^  (?=\w+:)", WORKFLOW.read_text(), flags=re.MULTILINE)
    (block,) = [part for part in text if part.startswith(f"{job}:")]
    lines = re.findall(r"run: (?:\|\n((?:          .*\n)+)|(.*)\n)", block)
    return [a or b for a, b in lines if not (a or b).startswith(INSTALLS)]


class Clone:
    """A clone of a repository that has the workflow's files and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.path, self.site = folder / "clone", folder / "clone" / "site"
        origin = folder / "origin"
        subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", origin], check=True)
        subprocess.run(["git", "clone", "--quiet", origin, self.path], check=True)
        for name in (".ci/board", "board/README.md"):
            (self.path / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, self.path / name)
        (self.path / "board" / "incoming").mkdir()

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "HARNESS": f"{sys.executable} -m harness",
            "PYTHONPATH": str(ROOT),
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", command], cwd=self.path, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = Clone(tmp_path)
    sample = SampleStore(tmp_path / "store")
    write_bundle(sample.store, clone.path / "board" / "incoming" / "mine.tar.gz", "0")
    return clone


def test_a_pull_request_is_checked_and_shown_and_changes_nothing(clone: Clone) -> None:
    for command in steps("check"):
        process = clone.run(command)
        assert process.returncode == 0, process.stderr
    assert "adamw" in (clone.site / "quick-external" / "index.html").read_text()
    assert not (clone.path / "board" / "board.jsonl").exists()


def test_a_bundle_that_does_not_fit_is_refused_by_the_name_of_the_rule(clone: Clone) -> None:
    bundle = clone.path / "board" / "incoming" / "mine.tar.gz"
    bundle.write_bytes(bundle.read_bytes()[:-100])
    (command,) = steps("check")
    process = clone.run(command)
    assert process.returncode != 0
    assert "mine.tar.gz" in process.stderr


def test_a_merged_bundle_is_added_pushed_and_published(clone: Clone, tmp_path: Path) -> None:
    author = "-c user.name=author -c user.email=author@example.org"
    clone.run(f"git add . && git {author} commit --quiet --message 'A pull request, merged'")
    for command in steps("add"):
        process = clone.run(command)
        assert process.returncode == 0, process.stderr
    pushed = tmp_path / "pushed"
    subprocess.run(["git", "clone", "--quiet", tmp_path / "origin", pushed], check=True)
    assert len((pushed / "board" / "board.jsonl").read_text().splitlines()) == 1
    assert not list(pushed.glob("board/incoming/*"))
    process = clone.run(".ci/board site site")
    assert process.returncode == 0, process.stderr
    assert (clone.site / "index.html").exists()
