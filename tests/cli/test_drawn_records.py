"""A round on hidden architectures by the records that it leaves: commit, reveal, verify, score.

The recorder, the ledger and the rules of observation are the real ones, the metrics made; a round
that trains is played in `test_drawn_round.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from harness.analysis.scored import Source, load_board
from harness.cli.app import app
from harness.cli.boards import BoardFolder
from harness.cli.bundles import write_bundle
from harness.core.errors import HarnessError
from harness.plan.plan import PlanRequest, plan
from harness.plan.rounds import draw_round, seed_of
from harness.plan.trial import Result as TrialResult
from harness.plan.trial import Trial, TrialRecord
from harness.record.ledger import Ledger
from harness.record.log import EventLog, read_events
from harness.record.plan import write_plan
from harness.record.schema import End, Evaluation, Go
from harness.record.schema.ledger import AttemptBegun, AttemptEnded
from harness.record.store import EVENTS_FILE, write_record
from harness.referee.parts import Certainty, Measurement
from harness.referee.target_search import HeldSnapshot, TargetSearch
from tests.record.conftest import (
    READING,
    beginning,
    machine_change,
    snapshot,
    time_at,
)

SPEEDS = {"adamw": 5.0, "sgd": 2.0}
"""Rates at which entries learn; 2 is enough for the base, and not for a drawn model."""


def value_at(trial: Trial, fraction: float) -> float:
    """0.9 (1 - exp(-rate fraction)), twice as fast on the base."""
    rate = SPEEDS[trial.submission.name] * (2.0 if trial.variant == "base" else 1.0)
    return 0.9 * (1.0 - math.exp(-rate * fraction))


def record(trial: Trial, store: Path) -> None:
    """Write a trial as a run leaves it."""
    write_plan([trial], store)
    log_file, identity = store / trial.folder / EVENTS_FILE, trial.identity
    Ledger(store).note(AttemptBegun(identity=identity, attempt=1))
    with closing(EventLog(log_file)) as log:
        log.append(beginning(trial, 1))
        before = READING.model_copy(update={"at_s": 0.0})
        log.append(Go(budget_s=trial.budget.runtime_s, machine=before), "referee")
        result = observe(trial, log)
        log.append(End(result=result, clock={"timed_s": result.timed_s}, machine=machine_change()))
    head = read_events(log_file)[-1].hash
    end = AttemptEnded(identity=identity, attempt=1, state=result.state, events=head)
    Ledger(store).note_once(end)
    process = TrialRecord(identity=identity, trial=trial, result=result)
    write_record(store / trial.folder, process)


def observe(trial: Trial, log: EventLog) -> TrialResult:
    """Train on paper up to the target or the end of the budget."""

    def evaluate(held_snapshot: HeldSnapshot, *, until: Certainty) -> Measurement:
        value = value_at(trial, trial.grid.fraction(held_snapshot.grid))
        log.append(
            Evaluation(
                grid=held_snapshot.grid,
                step=held_snapshot.step,
                timed_s=held_snapshot.timed_s,
                examples=held_snapshot.examples,
                validation={trial.target.metric: value},
            ),
            "referee",
        )
        return Measurement(value)

    search, point = TargetSearch(trial.grid, trial.target, evaluate), 0
    while point < trial.grid.points and search.hit is None:
        point += 1
        is_look = search.is_look_due(point)
        log.append(snapshot(trial, point, is_look=is_look), "worker")
        held_snapshot = HeldSnapshot(point, 100 * point, time_at(trial, point), 12800 * point, {})
        (search.look if is_look else search.keep)(held_snapshot)
    return TrialResult(
        state="reached" if search.hit else "budget",
        reason="made",
        timed_s=time_at(trial, point),
        steps=100 * point,
        **search.outcome()._asdict(),
    )


def harness(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def trials_of(seed: str, submissions: tuple[str, ...]) -> Iterator[Trial]:
    for submission in submissions:
        for variant in ("base", "drawn"):
            request = PlanRequest("mlp", submission, round_seed=seed, variant=variant, trials=1)
            yield from plan(request).trials


@pytest.fixture(scope="module")
def round_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a round's two files and the records of two entries, base and drawn."""
    folder = tmp_path_factory.mktemp("round")
    _, secret = draw_round("r", folder)
    for trial in trials_of(seed_of(f"@{secret}"), tuple(SPEEDS)):
        record(trial, folder / "records")
    return folder


@pytest.mark.system
def test_a_revealed_round_fits_the_architectures_that_were_run(round_folder: Path) -> None:
    assert "whose seed is not known" in harness("verify", round_folder / "records").output
    assert harness("round", "reveal", round_folder / "r.secret.json").exit_code == 0
    process = harness("verify", round_folder / "records", "--round", round_folder / "r.round.json")
    assert process.exit_code == 0, process.output
    assert "everything fits" in process.output


def test_a_trial_on_an_architecture_of_its_own_choice_is_named(
    round_folder: Path, tmp_path: Path
) -> None:
    seed = seed_of(f"@{round_folder / 'r.secret.json'}")
    request = replace(PlanRequest("mlp", "sgd", round_seed=seed), variant="drawn-0123456789abcdef")
    record(plan(request).trials[0], tmp_path)
    process = harness("verify", tmp_path, "--round", round_folder / "r.secret.json")
    assert process.exit_code == 1
    assert "its architecture is not the round's" in process.output


def test_the_baseline_sets_the_target_and_a_miss_costs_the_base(round_folder: Path) -> None:
    board, frame = load_board(Source(round_folder / "records", allow=("held-entries",)))
    assert frame is not None
    drawn = frame[frame["variant"] != "base"]
    of_adamw = drawn[drawn["submission"].eq("adamw")].iloc[0]
    at_least, at_most = (0.9 * (1.0 - math.exp(-5.0 * fraction)) for fraction in (0.53, 0.6))
    assert at_least < of_adamw["target"] < at_most
    assert of_adamw["hit_s"] <= 0.6 * of_adamw["budget_s"]
    assert dict(zip(drawn["submission"], drawn["state"], strict=True)) == {
        "adamw": "reached", "sgd": "budget",
    }  # fmt: skip
    assert set(frame.loc[frame["variant"].eq("base"), "state"]) == {"reached"}
    scores = dict(zip(board.times.submissions, board.scores, strict=True))
    assert scores == {"adamw": 1.0, "sgd": 0.0}


def test_a_board_takes_an_entry_on_the_targets_that_another_bundle_sets(tmp_path: Path) -> None:
    board = BoardFolder(tmp_path / "board")
    for submission in SPEEDS:
        store = tmp_path / submission
        width = PlanRequest("mlp", submission, round_seed="a seed", variant="width-128", trials=1)
        for trial in (*trials_of("a seed", (submission,)), *plan(width).trials):
            record(trial, store)
        write_bundle(store, tmp_path / f"{submission}.tar.gz", "0")
        board.add(tmp_path / f"{submission}.tar.gz")
    assert [event.entries for event in board.active().values()] == [("adamw",), ("sgd",)]


def test_a_bundle_of_widths_alone_has_nothing_for_a_board(tmp_path: Path) -> None:
    (trial,) = plan(PlanRequest("mlp", "sgd", variant="width-128", trials=1)).trials
    record(trial, tmp_path / "store")
    write_bundle(tmp_path / "store", tmp_path / "widths.tar.gz", "0")
    with pytest.raises(HarnessError, match="all trials are of width families"):
        BoardFolder(tmp_path / "board").add(tmp_path / "widths.tar.gz")


def test_without_the_baseline_nothing_is_scored_and_what_to_run_is_said(tmp_path: Path) -> None:
    for trial in trials_of("some seed", ("sgd",)):
        record(trial, tmp_path)
    result = harness("score", tmp_path)
    assert "missing-baselines" in str(result.exception)
    assert "no trial of adamw" in str(result.exception)
