"""A whole experiment of one's own file: refused before it runs, run, drawn, resumed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from experiments.files import experiment_names
from harness.cli.app import app
from harness.core.errors import HarnessError
from harness.record.attempts import of_type
from harness.record.log import read_events
from harness.record.schema import Diagnostics, Evaluation
from harness.record.store import record_paths
from harness.verification.store import verify_store
from tests.experiments.test_spec import TEXT

CLAIM = """
[[claims]]
says = "SGD falls below one."
entry = "sgd"
bound = 1.0
"""
FILES = {"evaluations.csv", "figure.pdf", "figure.png", "figure.svg", "findings.md", "trials.csv"}


def run(folder: Path, text: str, *flags: str) -> str:
    """The output of the command on a file of this text; an error is raised as it is."""
    file = folder / "own.toml"
    file.write_text(text)
    arguments = ["experiment", str(file), "--quick", "--out", str(folder / "out"), *flags]
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None:
        raise result.exception
    return result.output


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, data_cache: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(data_cache))


@pytest.mark.system
@pytest.mark.usefixtures("own_cache")
def test_an_experiment_of_ones_own_runs_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    output = run(tmp_path, TEXT + CLAIM, "--threads", "1")
    out = tmp_path / "out"
    assert {file.name for file in out.iterdir()} == {*FILES, "records"}
    assert "did not hold: SGD falls below one." in output
    assert len(pd.read_csv(out / "trials.csv")) == 3
    assert not verify_store(out / "records").findings
    for path in record_paths(out / "records"):
        events = read_events(path.parent / "events.jsonl")
        places = [(e.step, sorted(e.values)) for e in of_type(events, Diagnostics)]
        assert places == [(e.step, ["distance", "x", "y"]) for e in of_type(events, Evaluation)]
    times_written = {path: path.stat().st_mtime_ns for path in record_paths(out / "records")}
    assert "3 of them finished" in run(tmp_path, TEXT + CLAIM, "--threads", "1")
    assert {
        path: path.stat().st_mtime_ns for path in record_paths(out / "records")
    } == times_written


@pytest.mark.system
@pytest.mark.usefixtures("own_cache")
def test_a_value_that_a_submission_refuses_is_named_before_anything_runs(tmp_path: Path) -> None:
    text = TEXT.replace("momentum = [0.0, 0.9]", 'schedule = ["cosine", "no", "cosin"]')
    with pytest.raises(HarnessError, match="schedule cosin") as error:
        run(tmp_path, text)
    assert "no trial was planned" in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("flags", [(), ("--dry-run",)])
def test_missing_data_name_both_ways_out(flags: tuple[str, ...], tmp_path: Path) -> None:
    arguments = ["experiment", "staleness", "--data-dir", str(tmp_path), "--out", str(tmp_path)]
    error = CliRunner().invoke(app, [*arguments, *flags]).exception
    assert isinstance(error, HarnessError)
    assert "harness data prepare cifar10" in error.hint
    assert "--quick" in error.hint


def test_a_dry_run_says_what_is_to_run_and_runs_nothing(tmp_path: Path) -> None:
    assert "0 of them finished" in run(tmp_path, TEXT, "--dry-run")
    assert not (tmp_path / "out").exists()


def test_the_list_names_those_that_ship() -> None:
    output = CliRunner().invoke(app, ["experiment", "list"]).output
    assert "rosenbrock" in output
    assert "figure 12" in output


@pytest.mark.slow
@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("name", [name for name in experiment_names() if name != "projection"])
def test_a_quick_form_runs(name: str, tmp_path: Path) -> None:
    arguments = ["experiment", name, "--quick", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None, result.output
    states = set(pd.read_csv(tmp_path / "trials.csv")["state"])
    assert states <= {"budget", "reached", "diverged"}
    assert {file.name for file in tmp_path.iterdir()} == {*FILES, "records"}
