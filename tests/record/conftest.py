"""A store as a run leaves it, written by the real recorder, ledger and rules of observation."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.canonical import sha256_json
from harness.conditions import disturbances
from harness.plan.plan import PlanRequest, plan
from harness.plan.store import write_plan
from harness.record.attempts import attempts_of, ended, number_of
from harness.record.events import EventLog, read_events
from harness.record.ledger import Ledger
from harness.record.store import EVENTS_FILE, write_record
from harness.referee.timetable import Timetable
from harness.trial import Result, Trial, TrialRecord

FILES = "f" * 64
HARDWARE = {"processor": "made", "cores": 2}
MACHINE = {"drift": 0.01, "stolen_share": 0.0, "others_share": 0.0, "throttled": None}


class Made:
    """A store with one ended trial: ten grid points, the target met at the seventh."""

    def __init__(self, store: Path) -> None:
        self.store = store
        (self.trial,) = plan(PlanRequest("mlp", "adamw", trials=1)).trials
        self.run()

    @property
    def log(self) -> Path:
        return self.folder / EVENTS_FILE

    @property
    def folder(self) -> Path:
        return self.store / self.trial.folder

    def run(self) -> None:
        """Plan the trial and run what is missing of it, in the order of `harness.body`."""
        write_plan([self.trial], self.store)
        events = read_events(self.log) if self.log.exists() else []
        if not ended(events):
            self.attempt(Ledger(self.store).attempts(self.trial.identity) + 1)
        self.conclude()

    def attempt(self, number: int) -> None:
        """Write an attempt as a referee does, up to its end."""
        begun = {"identity": self.trial.identity, "attempt": number}
        Ledger(self.store).note("begun", begun)
        with closing(EventLog(self.log)) as log:
            log.append("begin", "referee", beginning(self.trial, number))
            for event in curve(self.trial):
                log.append(*event)
            result = ending(self.trial)
            clock = {"timed_s": result.timed_s}
            data = {"result": result.model_dump(), "clock": clock, "machine": MACHINE}
            log.append("end", "referee", data)

    def conclude(self) -> None:
        """Enter the last attempt's end into the ledger and into `trial.json`."""
        events, identity, result = read_events(self.log), self.trial.identity, ending(self.trial)
        number = number_of(attempts_of(events)[-1])
        Ledger(self.store).note_end(identity, number, result.state, events[-1]["hash"])
        write_record(self.folder, TrialRecord(identity=identity, trial=self.trial, result=result))


def beginning(trial: Trial, number: int) -> dict[str, Any]:
    return {
        "origin": "measured",
        "identity": trial.identity,
        "attempt": number,
        "submission_files": FILES,
        "hardware": HARDWARE,
        "fingerprint": sha256_json(HARDWARE)[:12],
    }


def time_at(trial: Trial, grid: int) -> float:
    return 1.01 * grid * trial.grid.share * trial.budget.runtime_s


def curve(trial: Trial) -> list[Any]:
    """Snapshots at ten grid points; evaluations at the fifth, the tenth, the sixth, the seventh."""
    events: list[Any] = [("go", "referee", {"budget_s": trial.budget.runtime_s})]
    for grid in range(1, 11):
        place = {"grid": grid, "step": 100 * grid, "timed_s": time_at(trial, grid)}
        share = Timetable(trial).share(place["timed_s"], place["step"])
        claims = {"examples": 12800 * grid, "train_loss": 1.0 / grid}
        events.append(("snapshot", "worker", place | {"share": share, "claims": claims}))
        for judged in {5: (5,), 10: (10, 6, 7)}.get(grid, ()):
            events.append(("evaluation", "referee", evaluation(trial, judged)))
    return events


def evaluation(trial: Trial, grid: int) -> dict[str, Any]:
    value = trial.target.value + 0.01 * (grid - 6.5)
    place = {"grid": grid, "step": 100 * grid, "timed_s": time_at(trial, grid)}
    return place | {"examples": 12800 * grid, "validation": {trial.target.metric: value}}


def ending(trial: Trial) -> Result:
    return Result(
        state="reached",
        reason="the target was met",
        time_to_target_s=time_at(trial, 7),
        last_miss_s=time_at(trial, 6),
        steps_to_target=700,
        examples_to_target=89600,
        timed_s=time_at(trial, 10) + 0.5,
        steps=1000,
        best_metric=trial.target.value + 0.01 * 3.5,
        disturbed=disturbances(MACHINE, trial.limits.drift),
    )


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("made"))
