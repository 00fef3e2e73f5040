"""`harness probe` as a command."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from harness.cli.app import app
from harness.core.errors import HarnessError
from tests.kit import write_submission


def test_a_dry_run_counts_the_trials_and_runs_none(tmp_path: Path) -> None:
    arguments = ["probe", "sgd", "--only", "plateau", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*arguments, "--dry-run", "--json"])
    assert json.loads(result.stdout)["trials"] == 3
    assert not (tmp_path / "out").exists()


def test_what_is_given_twice_is_tried_once(tmp_path: Path) -> None:
    twice = ["probe", "sgd", "sgd", "--only", "plateau", "--only", "plateau"]
    result = CliRunner().invoke(app, [*twice, "--out", str(tmp_path), "--dry-run", "--json"])
    assert json.loads(result.stdout)["trials"] == 3


def test_two_submissions_of_one_name_are_refused_before_a_trial(tmp_path: Path) -> None:
    folders = [write_submission(tmp_path / name / "mine") for name in "ab"]
    (folders[1] / "submission.py").write_text((folders[1] / "submission.py").read_text() + "A = 1")
    arguments = [*map(str, folders), "--only", "plateau", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["probe", *arguments])
    assert isinstance(result.exception, HarnessError)
    assert "two submissions are called 'mine'" in result.exception.message
    assert not (tmp_path / "out").exists()
