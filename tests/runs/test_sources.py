"""Missing data are named before anything is measured or trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.execution.base import RunOptions
from harness.plan.plan import PlanRequest
from harness.runs.run import plan_here
from harness.runs.sources import check_sources


def test_a_plan_names_missing_data_whether_or_not_the_speed_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.runs.run.machine_speed", lambda *_: pytest.fail("measured"))
    request = PlanRequest("mlp", "adamw", suite="standard")
    with pytest.raises(HarnessError, match="cifar") as error:
        plan_here(request, RunOptions(data_dir=tmp_path), tmp_path / "records", pytest.fail)
    assert "harness data prepare" in error.value.hint


@pytest.mark.parametrize(("name", "suite"), [("mlp", "quick"), ("rosenbrock", "landscapes")])
def test_generated_data_and_problems_without_any_need_no_files(
    name: str, suite: str, tmp_path: Path
) -> None:
    check_sources(name, suite, tmp_path)
