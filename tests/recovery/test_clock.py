"""The clock of a trial whose referee was killed: nothing counted twice, nothing lost, none told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.record.attempts import of_type
from harness.record.log import read_events
from harness.record.schema import Resumed, SnapshotTaken
from harness.record.store import last_attempt, read_record
from harness.record.tables import results_frame
from harness.verification.store import verify_store
from scoring.flags import trial_flags
from tests.kit import write_submission

from .conftest import Lives

CODE = """
import time

class Submission:
    def setup(self, problem, hyperparameters):
        print("NEW")
        self.problem, self.readings = problem, []

    def step(self, stream):
        stream.next()
        time.sleep(0.004)
        self.readings.append(self.problem.budget.fraction)
        print("read", self.readings[-1])

    def state_dict(self):
        return {"readings": self.readings}

    def load_state_dict(self, state):
        self.readings = list(state["readings"])
        print("restored", *self.readings)

    def eval_parameters(self):
        return self.problem.parameters
"""
BUDGET_S, DEAD_S = 4.0, 1.0


@pytest.fixture(scope="module")
def store(torch_lives: Lives, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a trial in seconds whose referee was killed after half of it, and went on much later."""
    folder = tmp_path_factory.mktemp("clock")
    place = write_submission(folder / "submission", CODE)
    trial = torch_lives.trial(submission=str(place))
    budget = trial.budget.model_copy(update={"steps": None, "runtime_s": BUDGET_S})
    trial = trial.model_copy(update={"budget": budget})
    torch_lives.run_and_kill(trial, folder / "store", events=40, prints=20)
    time.sleep(DEAD_S)
    torch_lives.whole(trial, folder / "store")
    assert not verify_store(folder / "store").findings
    return (folder / "store" / trial.folder).parent


def folder_of(store: Path) -> Path:
    (result,) = store.glob("trial_*")
    return result


def fractions(store: Path) -> tuple[list[float], list[float], list[float]]:
    """Readings of the first life, those that the second took back, and those it made itself."""
    parts = (folder_of(store) / "worker.log").read_text().split("NEW\n")
    assert len(parts) == 5  # each life has set up for the warm-up, too
    first, (restored, *rest) = parts[2].splitlines(), parts[4].splitlines()
    fractions_by_life = [[float(line.split()[1]) for line in life] for life in (first, rest)]
    return (
        fractions_by_life[0],
        [float(word) for word in restored.split()[1:]],
        fractions_by_life[1],
    )


def test_what_was_read_before_the_checkpoint_is_given_back_and_no_more(store: Path) -> None:
    before, back, _ = fractions(store)
    assert 0 < len(back) < len(before)
    assert back == before[: len(back)]


def test_the_clock_goes_on_from_the_checkpoint_without_the_time_between(store: Path) -> None:
    _, back, after = fractions(store)
    (event,) = of_type(read_events(folder_of(store) / "events.jsonl"), Resumed)
    assert back[-1] * BUDGET_S <= event.timed_s <= after[0] * BUDGET_S
    assert after[0] * BUDGET_S < event.timed_s + DEAD_S / 2
    assert after == sorted(after)


def test_every_timed_second_has_its_snapshots_once(store: Path) -> None:
    attempt = last_attempt(folder_of(store))
    assert attempt is not None
    snapshots = attempt.all(SnapshotTaken)
    grid, timed_s = [s.grid for s in snapshots], [s.timed_s for s in snapshots]
    assert grid == sorted(set(grid))
    assert grid[-1] == 50
    assert timed_s == sorted(timed_s)
    result = read_record(folder_of(store) / "trial.json").result
    assert result is not None
    assert result.timed_s >= BUDGET_S


def test_a_score_of_it_says_that_it_was_resumed(store: Path) -> None:
    frame = results_frame(store.parents[2])
    assert frame["resumed"].tolist() == [1]
    assert [flag for flag in trial_flags(frame) if flag.startswith("resumed: 1 of 1")]
