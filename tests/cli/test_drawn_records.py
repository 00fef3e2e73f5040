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

from harness.cli.app import app
from harness.cli.score import Source, load_board
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
from harness.referee.target_search import HeldSnapshot, TargetSearch
from tests.record.conftest import (
    READING,
    beginning,
    evaluation,
    machine_change,
    snapshot,
    time_at,
)

SPEEDS = {"adamw": 4.0, "nadamw": 6.0, "sgd": 1.2}
"""Rates at which entries learn; at 1.2 a drawn model is not learned, and the base hardly."""


def value_at(trial: Trial, fraction: float) -> float:
    """0.9 (1 - exp(-rate fraction)), a little faster from trial to trial; all reach the base."""
    rate = SPEEDS[trial.submission.name] * (1.0 + 0.1 * trial.trial)
    ease = 2.0 if trial.variant == "base" else 1.0
    return 0.9 * (1.0 - math.exp(-ease * rate * fraction))


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
    ended = AttemptEnded(identity=identity, attempt=1, state=result.state, events=head)
    Ledger(store).note_once(ended)
    done = TrialRecord(identity=identity, trial=trial, result=result)
    write_record(store / trial.folder, done)


def observe(trial: Trial, log: EventLog) -> TrialResult:
    """Train on paper up to the target or the end of the budget."""

    def evaluate(held: HeldSnapshot) -> float:
        value = value_at(trial, trial.grid.fraction(held.grid))
        event: Evaluation = evaluation(trial, held.grid)
        metrics = {trial.target.metric: value}
        log.append(event.model_copy(update={"validation": metrics}), "referee")
        return value

    search, point = TargetSearch(trial.grid, trial.target, evaluate), 0
    while point < trial.grid.points and search.hit is None:
        point += 1
        is_look = search.is_look_due(point)
        log.append(snapshot(trial, point, is_look=is_look), "worker")
        held = HeldSnapshot(point, 100 * point, time_at(trial, point), 12800 * point, {})
        (search.look if is_look else search.keep)(held)
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
            request = PlanRequest("mlp", submission, round_seed=seed, variant=variant)
            yield from plan(request).trials


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a round's two files and the records of three entries, base and drawn."""
    folder = tmp_path_factory.mktemp("round")
    _, secret = draw_round("r", folder)
    for trial in trials_of(seed_of(f"@{secret}"), tuple(SPEEDS)):
        record(trial, folder / "records")
    return folder


def test_a_revealed_round_fits_the_architectures_that_were_run(played: Path) -> None:
    assert "whose seed is not known" in harness("verify", played / "records").output
    assert harness("round", "reveal", played / "r.secret.json").exit_code == 0
    told = harness("verify", played / "records", "--round", played / "r.round.json")
    assert told.exit_code == 0, told.output
    assert "everything fits" in told.output


def test_a_trial_on_an_architecture_of_its_own_choice_is_named(
    played: Path, tmp_path: Path
) -> None:
    seed = seed_of(f"@{played / 'r.secret.json'}")
    request = replace(PlanRequest("mlp", "sgd", round_seed=seed), variant="drawn-0123456789abcdef")
    record(plan(request).trials[0], tmp_path)
    told = harness("verify", tmp_path, "--round", played / "r.secret.json")
    assert told.exit_code == 1
    assert "its architecture is not the round's" in told.output


def test_the_baseline_sets_the_target_and_a_miss_costs_the_base(played: Path) -> None:
    board, frame = load_board(Source(played / "records"))
    assert frame is not None
    drawn = frame[frame["variant"] != "base"]
    best = drawn[drawn["submission"].eq("adamw") & drawn["trial"].eq(3)].iloc[0]
    assert (
        0.9 * (1 - math.exp(-4.0 * 1.3 * 0.55))
        < best["target"]
        < 0.9 * (1 - math.exp(-4.0 * 1.3 * 0.6))
    )
    assert best["hit_s"] <= 0.61 * best["budget_s"]
    reached = drawn.groupby("submission")["state"].agg(lambda states: states.eq("reached").any())
    assert dict(reached) == {"adamw": True, "nadamw": True, "sgd": False}
    scores = dict(zip(board.times.submissions, board.scores, strict=True))
    assert scores["nadamw"] == 1.0 > scores["adamw"] > scores["sgd"] == 0.0


def test_without_the_baseline_nothing_is_scored_and_what_to_run_is_said(tmp_path: Path) -> None:
    for trial in trials_of("some seed", ("sgd",)):
        record(trial, tmp_path)
    result = harness("score", tmp_path)
    assert "missing-baselines" in str(result.exception)
    assert "no trial of adamw" in str(result.exception)
