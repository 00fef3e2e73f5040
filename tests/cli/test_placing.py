"""What a run ends with: its place on the board that ships, in steps and in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import harness.analysis.reference_board as shipped
from harness.cli.placing import place_lines
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import Trial
from harness.record.imported import PublishedEvaluation, write_imported
from harness.record.tables import results_frame
from harness.runs.with_reference import with_reference
from tests.kit import write_submission

SECONDS = {"adamw": 10.0, "sgd": 20.0, "muon": 8.0, "mine": 15.0}


def write_ends(store: Path, trials: Sequence[Trial], *, slower: float = 1.0) -> None:
    """Write records of 100 steps to the target in the seconds of each submission."""
    for trial in trials:
        seconds = slower * SECONDS[trial.submission.name]
        hit = PublishedEvaluation(10 * SECONDS[trial.submission.name], seconds, trial.target.value)
        write_imported(store, trial, [hit], "a test")


@pytest.fixture
def _board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One study of three submissions, on another machine than that of the runs."""
    for name in ("adamw", "sgd", "muon"):
        write_ends(tmp_path / "board", plan(PlanRequest("mlp", name)).trials)
    frame = results_frame(tmp_path / "board").assign(hardware="box-1")
    shipped.write_board(frame, tmp_path / shipped.board_name("quick", "torch"))
    monkeypatch.setattr(shipped, "files", lambda _: tmp_path)


@pytest.fixture
def request_(tmp_path: Path) -> PlanRequest:
    return PlanRequest("mlp", str(write_submission(tmp_path / "mine")))


@pytest.mark.usefixtures("_board")
def test_a_run_is_placed_in_steps_and_told_how_to_be_placed_in_seconds(
    tmp_path: Path, request_: PlanRequest
) -> None:
    trials = plan(request_).trials
    write_ends(tmp_path / "store", trials, slower=3.0)
    first, *_, last = place_lines(trials[0], tmp_path / "store", has_reference=False)
    assert first == "mine, in steps on mlp: between adamw and sgd"
    assert last.endswith(f"--submission {tmp_path}/mine --workload mlp --with-reference --out DIR")


@pytest.mark.usefixtures("_board")
def test_with_the_reference_in_between_it_is_placed_in_seconds_too(
    tmp_path: Path, request_: PlanRequest
) -> None:
    own = plan(request_)
    write_ends(
        tmp_path / "store", with_reference(own, request_, tmp_path / "store").trials, slower=3.0
    )
    lines = list(place_lines(own.trials[0], tmp_path / "store", has_reference=True))
    assert "mine, in steps on mlp: between adamw and sgd" in lines
    assert "mine, in seconds on mlp: between adamw and sgd" in lines


@pytest.mark.usefixtures("_board")
def test_a_run_of_another_width_is_on_no_board_and_is_not_placed(tmp_path: Path) -> None:
    request = PlanRequest("mlp", "sgd", variant="width-128", trials=1)
    trials = plan(request).trials
    write_ends(tmp_path / "store", trials)
    (line,) = place_lines(trials[0], tmp_path / "store", has_reference=False)
    assert line == "note: not placed on the board: it has no trials of width-128"


def test_where_no_board_ships_only_one_who_asked_for_seconds_is_told(
    tmp_path: Path, request_: PlanRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "files", lambda _: tmp_path)
    trial = plan(request_).trials[0]
    assert list(place_lines(trial, tmp_path / "store", has_reference=False)) == []
    (line,) = place_lines(trial, tmp_path / "store", has_reference=True)
    assert "harness baselines" in line
