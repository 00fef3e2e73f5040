"""Trials of probes that other load has ended are run again; those that ended by themselves not."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Self

import pytest

from experiments.probes.load import ATTEMPTS, run_undisturbed, was_disturbed
from experiments.probes.run import plan_probes
from harness.execution.base import RunOptions
from harness.plan.plan import PlanRequest
from harness.plan.trial import Result, State, Trial, TrialRecord
from harness.record.ledger import Ledger
from harness.record.log import EventLog, read_events
from harness.record.plan import record_of, unfinished_trials, write_plan
from harness.record.schema import End
from harness.record.schema.ledger import AttemptBegun, AttemptEnded
from harness.record.store import EVENTS_FILE, last_attempt, write_record
from tests.record.conftest import beginning, machine_change

BUSY = ("the speed probe changed by +129 %",)


@pytest.fixture
def trials(tmp_path: Path) -> tuple[Trial, ...]:
    """Three of a probe, planned in `tmp_path`."""
    (plan,) = plan_probes([PlanRequest("", "sgd")], ["undisturbed"])
    write_plan(plan.trials, tmp_path)
    return plan.trials


def end(store: Path, trial: Trial, state: State, flags: tuple[str, ...] = ()) -> None:
    """Write an attempt, the trial's next one, as a referee does, that ends so."""
    number = Ledger(store).attempts(trial.identity) + 1
    Ledger(store).note(AttemptBegun(identity=trial.identity, attempt=number))
    result = Result(state=state, reason="why", timed_s=62.0, steps=570, interference=flags)
    with closing(EventLog(store / trial.folder / EVENTS_FILE)) as log:
        log.append(beginning(trial, number))
        log.append(End(result=result, clock={"timed_s": 62.0}, machine=machine_change()))
    head = read_events(store / trial.folder / EVENTS_FILE)[-1].hash
    identity = trial.identity
    ended = AttemptEnded(identity=identity, attempt=number, state=state, events=head)
    Ledger(store).note_once(ended)
    write_record(store / trial.folder, TrialRecord(identity=identity, trial=trial, result=result))


class Machine:
    """Ends what is missing of a store in one way, as an executor whose machine does that."""

    def __init__(self, store: Path, state: State, flags: tuple[str, ...] = ()) -> None:
        self.store, self.state, self.flags = store, state, flags

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run(self, trials: Sequence[Trial], options: RunOptions) -> tuple[TrialRecord, ...]:
        for trial in unfinished_trials(trials, self.store):
            end(self.store, trial, self.state, self.flags)
        return tuple(record_of(trial, self.store) for trial in trials)


def test_a_trial_that_hung_on_a_busy_machine_was_disturbed(
    trials: tuple[Trial, ...], tmp_path: Path
) -> None:
    busy, quiet, diverged = trials
    end(tmp_path, busy, "hung", BUSY)
    end(tmp_path, quiet, "hung")
    end(tmp_path, diverged, "diverged", BUSY)
    assert [was_disturbed(trial, tmp_path) for trial in trials] == [True, False, False]


def test_it_is_run_again_and_the_others_are_not(trials: tuple[Trial, ...], tmp_path: Path) -> None:
    for trial, flags in zip(trials, (BUSY, (), ()), strict=True):
        end(tmp_path, trial, "hung", flags)
    run_undisturbed(trials, tmp_path, RunOptions(), Machine(tmp_path, "budget"))
    results = [record_of(trial, tmp_path).result for trial in trials]
    assert [result.state for result in results if result] == ["budget", "hung", "hung"]


def test_what_is_disturbed_every_time_is_given_up(
    trials: tuple[Trial, ...], tmp_path: Path
) -> None:
    run_undisturbed(trials[:1], tmp_path, RunOptions(), Machine(tmp_path, "hung", BUSY))
    attempt = last_attempt(tmp_path / trials[0].folder)
    assert attempt is not None
    assert attempt.number == ATTEMPTS
