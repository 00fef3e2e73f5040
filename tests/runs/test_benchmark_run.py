"""A benchmark run as a program starts it."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness
from harness.core.errors import HarnessError

REQUEST = harness.PlanRequest("mlp", "adamw", trials=1, budget_scale=0.02)


def test_a_program_gets_the_records_of_its_run(
    tmp_path: Path, data_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = harness.RunOptions(cache_dir=data_cache, threads=1)
    (record,) = harness.run(REQUEST, tmp_path, options=options)
    assert record.result is not None
    assert "adamw 1.1: budget" in capsys.readouterr().out
    assert list(harness.results_frame(tmp_path)["state"]) == ["budget"]
    assert harness.run(REQUEST, tmp_path, options=options) == (record,)
    assert capsys.readouterr().out == ""


def test_an_executor_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="unknown executor 'slurms'"):
        harness.run(REQUEST, tmp_path, executor="slurms")
