"""`harness probe` as a command."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from harness.cli.app import app


def test_a_dry_run_counts_the_trials_and_runs_none(tmp_path: Path) -> None:
    arguments = ["probe", "sgd", "--only", "plateau", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, [*arguments, "--dry-run", "--json"])
    assert json.loads(result.stdout)["trials"] == 3
    assert not (tmp_path / "out").exists()
