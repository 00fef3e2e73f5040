"""docs/JSON.md against what the commands print: every key has its line, and no other has one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import harness
from experiments.probes.verdicts import Outcome
from harness import load
from harness.cli.app import app
from harness.cli.check import document
from harness.cli.widths import document as document_of_width
from harness.plan.trial import Result, TrialRecord
from harness.protocol.messages import Finding
from harness.runs.check import MENDS, WorkloadCheck
from scoring.widths import WidthSpeedup
from tests.record.conftest import SampleStore

PAGE = (Path(__file__).parents[2] / "docs" / "JSON.md").read_text()
TIMES = """submission,workload,study,time_to_target_s
mine,mlp,1,1.0
mine,mlp,2,1.1
theirs,mlp,1,2.0
theirs,mlp,2,inf
"""
ALLOW = ("--allow", "missing-workloads", "--allow", "missing-studies")


def documented_keys(heading: str) -> set[str]:
    """The keys in the first column of the table below a heading."""
    part = re.split(r"^#+ ", PAGE.partition(f" {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    cells = re.findall(r"^\| (`.*?) \|", part, re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


def printed_document(*words: str) -> Any:
    result = CliRunner().invoke(app, [*words, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def times(tmp_path: Path) -> str:
    (tmp_path / "times.csv").write_text(TIMES)
    return str(tmp_path / "times.csv")


def test_a_trial_and_its_result() -> None:
    assert documented_keys("`harness run`") == set(TrialRecord.model_fields)
    assert documented_keys("`result`") == set(Result.model_fields)


def test_a_check() -> None:
    finding = Finding(check="steps", verdict="fail", detail="why")
    result = WorkloadCheck(
        workload="mlp", findings=(finding,), first_step_s=1.0, step_s=0.1, reference_step_s=0.1,
        memory_bytes=1, reference_memory_bytes=1,
    )  # fmt: skip
    output = document("mine", "torch", [result])
    assert documented_keys("`harness check`") == output.keys()
    (workload,) = json.loads(json.dumps(output))["workloads"]
    assert documented_keys("`workloads[]`") == workload.keys()
    assert output["mends"] == MENDS


def test_a_probes_outcome() -> None:
    assert documented_keys("`harness probe`") == set(Outcome.model_fields)


def test_a_width_whose_speed_up_is_unknown() -> None:
    nan = float("nan")
    output = document_of_width(WidthSpeedup("mlp", 128, "muon", 1, nan, "?", nan, nan))
    assert documented_keys("`harness widths`") == output.keys()
    assert output["speedup"] is output["low"] is output["high"] is None


def test_a_score(times: str, tmp_path: Path) -> None:
    words = ["score", "--times", times, *ALLOW, "--reference", "theirs"]
    result = CliRunner().invoke(app, [*words, "--json", str(tmp_path / "score.json")])
    assert result.exit_code == 0, result.output
    outcome = json.loads((tmp_path / "score.json").read_text())
    assert documented_keys("`harness score`") == outcome.keys()


def test_a_comparison(times: str) -> None:
    result = printed_document("compare", "mine", "theirs", "--times", times, *ALLOW)
    assert documented_keys("`harness compare`") == result.keys()
    line = next(line for line in PAGE.splitlines() if line.startswith("| `sequential`"))
    assert set(re.findall(r"`(\w+)`", line)) - {"sequential"} == result["sequential"].keys()


def test_a_doctors_findings() -> None:
    assert documented_keys("`harness doctor`") == printed_document("doctor").keys()


def test_a_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--submission", "adamw", "--workload", "mlp", "--budget-scale", "0.1", "--rate", "2")
    assert documented_keys("`harness plan`") == printed_document("plan", *words).keys()


def test_every_check_is_described() -> None:
    page = (Path(__file__).parents[2] / "docs" / "SUBMISSIONS.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \| .* \| .*(?:fail|warn)", page, re.MULTILINE)) >= set(
        MENDS
    )


def test_the_program_reads_a_folder_of_records(tmp_path: Path) -> None:
    (source,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    results = load(SampleStore(tmp_path / "store").store)
    columns, *_ = re.findall(r"results\.trials\[(\[.*?\])\]", source)
    assert len(results.trials[json.loads(columns)]) == 1
    (query,) = re.findall(r'query\("(.*?)"\)', source)
    assert len(results.curves.query(query))
    names = next(line for line in source.splitlines() if line.startswith("from harness import"))
    assert set(names.partition(" import ")[2].split(", ")) <= set(dir(harness))
