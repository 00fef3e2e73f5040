"""A scoring round on a hidden architecture, played through: commit, run, reveal, verify, score."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from harness.cli.app import app
from harness.plan.rounds import read_round, seed_of
from harness.plan.variants import drawn_variant
from harness.record.store import read_record, record_paths

pytestmark = pytest.mark.system
RUN = ("run", "--workload", "mlp", "--trials", "1", "--threads", "1", "--budget-scale", "0.3")
UNSCORED = ("--allow", "unscored-trials")


def harness(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def run_harness(*arguments: str) -> str:
    result = harness(*arguments)
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result.output


@pytest.fixture(scope="module")
def round_folder(tmp_path_factory: pytest.TempPathFactory, data_cache: Path) -> Iterator[Path]:
    """A folder with a round's two files and the records of two entries, base and drawn."""
    folder = tmp_path_factory.mktemp("round")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(data_cache))
        play(folder)
        yield folder


def play(folder: Path) -> None:
    """Commit to a round, and run its two entries."""
    run_harness("round", "new", "r", "--folder", str(folder))
    seed = ("--seed", f"@{folder / 'r.secret.json'}", "--out", str(folder / "records"))
    for submission in ("adamw", "sgd"):
        for variant in ("base", "drawn"):
            run_harness(*RUN, "--submission", submission, "--variant", variant, *seed)


def test_before_the_reveal_nobody_can_draw_the_architecture_again(round_folder: Path) -> None:
    assert read_round(round_folder / "r.round.json").seed is None
    output = run_harness("verify", str(round_folder / "records"))
    assert "4 trials of a round whose seed is not known here" in output


def test_all_entries_met_the_architecture_that_the_revealed_seed_draws(round_folder: Path) -> None:
    run_harness("round", "reveal", str(round_folder / "r.secret.json"))
    public = round_folder / "r.round.json"
    output = run_harness("verify", str(round_folder / "records"), "--round", str(public))
    assert "everything fits" in output
    trials = [read_record(path).trial for path in record_paths(round_folder / "records")]
    variant = drawn_variant(seed_of(f"@{public}"), "quick", "mlp")
    assert sorted(trial.variant for trial in trials) == ["base", "base", variant, variant]


def test_drawn_trials_end_at_their_budget_and_are_timed_by_the_baseline(round_folder: Path) -> None:
    records = [read_record(path) for path in record_paths(round_folder / "records")]
    drawn = [record for record in records if record.trial.variant != "base"]
    assert {record.result.state for record in drawn if record.result} == {"budget"}
    scores = round_folder / "scores.json"
    run_harness("score", str(round_folder / "records"), *UNSCORED, "--json", str(scores))
    medians = json.loads(scores.read_text())["median_times"]["adamw"]
    (column,) = (name for name in medians if name.startswith("mlp_drawn-"))
    budget_s = drawn[0].trial.budget.runtime_s
    assert 0.0 < medians[column] <= 0.6 * budget_s


def test_without_the_baseline_there_is_no_target(round_folder: Path, tmp_path: Path) -> None:
    seed = ("--seed", f"@{round_folder / 'r.secret.json'}", "--out", str(tmp_path))
    run_harness(*RUN, "--submission", "sgd", "--variant", "drawn", *seed)
    result = harness("score", str(tmp_path), *UNSCORED)
    assert "missing-baselines" in str(result.exception)
