"""`harness.load` and `harness.compare`: frames that say what they are of, the command's values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import harness
from harness.cli.app import app
from harness.core.errors import HarnessError
from harness.plan.plan import PlanRequest, plan
from harness.record.plan import write_plan
from tests.record.conftest import SampleStore


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial of adamw and one of sgd on the same instance."""
    sample = SampleStore(tmp_path_factory.mktemp("made") / "store")
    (sample.trial,) = plan(PlanRequest("mlp", "sgd", trials=1)).trials
    sample.run()
    return sample.store


def test_each_value_of_a_curve_says_whose_it_is(store: Path) -> None:
    curves = harness.load(store).curves
    assert set(curves["submission"]) == {"adamw", "sgd"}
    assert set(curves["workload"]) == {"mlp"}
    assert len(curves) == len(harness.curves_frame(store))


def test_a_comparison_has_the_values_of_the_command(store: Path) -> None:
    words = ["compare", "sgd", "adamw", "--out", str(store), "--json"]
    document = json.loads(CliRunner().invoke(app, words).stdout)
    ours = harness.compare(store, "sgd", "adamw").to_json()
    assert {key: document[key] for key in ours} == json.loads(json.dumps(ours))


def test_a_third_entry_that_is_half_finished_does_not_block_a_comparison(tmp_path: Path) -> None:
    sample = SampleStore(tmp_path)
    (sample.trial,) = plan(PlanRequest("mlp", "sgd", trials=1)).trials
    sample.run()
    write_plan(plan(PlanRequest("mlp", "soap", trials=1)).trials, tmp_path)
    assert harness.compare(tmp_path, "sgd", "adamw").workloads == ("mlp",)
    with pytest.raises(HarnessError, match="rule 'unfinished-trials'"):
        harness.compare(tmp_path, "sgd", "soap")


def test_a_folder_without_records_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no trials in"):
        harness.load(tmp_path)
