"""What a program reads: one JSON document on standard output, and nothing beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness.cli.app import app

TIMES = """submission,workload,study,time_to_target_s
mine,mlp,1,1.0
mine,mlp,2,1.1
theirs,mlp,1,2.0
theirs,mlp,2,inf
"""


def document(*words: str) -> Any:
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    ("kind", "name", "key"),
    [
        ("submissions", "adamw", "default"),
        ("workloads", "mlp", "suites"),
        ("suites", "quick", "rulesets"),
    ],
)
def test_lists_hold_what_can_be_run_by_name(kind: str, name: str, key: str) -> None:
    assert document("list", kind)[name][key]


def test_a_comparison_has_its_verdict_and_no_number_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "times.csv").write_text(TIMES)
    allow = ("--allow", "missing-workloads", "--allow", "missing-studies")
    result = document("compare", "mine", "theirs", "--times", str(tmp_path / "times.csv"), *allow)
    assert (result["a"], result["b"], result["studies"]) == ("mine", "theirs", 2)
    assert result["workloads"]["mlp"]["a_s"] == pytest.approx(1.05)
    assert result["workloads"]["mlp"]["b_s"] is None
    assert result["verdict"] and result["workloads"]["mlp"]["mark"] == ">="


def test_a_doctor_says_whether_this_is_the_target() -> None:
    result = document("doctor")
    assert result["is_target"] == (not result["differences"])
    assert "quick" in result["rows"]["suite"]


@pytest.mark.parametrize("words", [["-h"], ["run", "-h"], ["data", "prepare", "-h"]])
def test_help_is_short(words: list[str]) -> None:
    assert CliRunner().invoke(app, words).exit_code == 0
