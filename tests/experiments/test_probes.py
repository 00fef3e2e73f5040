"""Failure probes: verdicts of records, what is written of them, and the command."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from experiments.probes.figure import probes_figure
from experiments.probes.results import table_text
from experiments.probes.run import plan_probes, probe_names, run_probes
from experiments.probes.verdicts import Outcome, Verdict, outcome_of, outcomes_frame
from harness.cli.app import app
from harness.core.errors import HarnessError, UnknownNameError
from harness.display.endings import EndingsDisplay
from harness.execution.base import RunOptions
from harness.execution.local import LocalExecutor
from harness.plan.plan import PlanRequest
from harness.plan.trial import Result, State, TrialRecord
from harness.record.store import write_record
from harness.verification.store import verify_store
from tests.kit import write_submission
from tests.tiers import nightly_but

REQUEST = PlanRequest("", "sgd")

SLOW = """
import time
import torch

def build(problem, hyperparameters):
    time.sleep(1.0)
    return torch.optim.SGD(problem.parameters.values(), lr=0.1)
"""


def records(*states: State | None) -> list[TrialRecord]:
    """The three trials of one probe, ended so; None: not run."""
    (plan,) = plan_probes([REQUEST], ["undisturbed"])
    best = iter((0.4, 0.3, 0.05))
    results = [
        None
        if state is None
        else Result(state=state, reason=f"it was {state}", timed_s=1.0, steps=600,
                    steps_to_target=90 if state == "reached" else None, best_metric=next(best))
        for state in states
    ]  # fmt: skip
    return [
        TrialRecord(identity=trial.identity, trial=trial, result=result)
        for trial, result in zip(plan.trials, results, strict=True)
    ]


def outcome(submission: str, probe: str, verdict: Verdict) -> Outcome:
    return Outcome(submission=submission, probe=probe, verdict=verdict, points=3, steps=None,
                   best=None, reason="")  # fmt: skip


FRAME = outcomes_frame(
    [
        outcome("sgd", "undisturbed", "pass"),
        outcome("sgd", "huge_gradients", "diverged"),
        outcome("sgd", "saddle", "fail"),
        outcome("adam", "undisturbed", "pass"),
        outcome("adam", "huge_gradients", "pass"),
        outcome("adam", "saddle", "pass"),
    ]
)


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        (("budget", "reached", None), "pass"),
        (("diverged", "budget", "diverged"), "fail"),
        (("diverged", "diverged", "out_of_memory"), "diverged"),
        (("crashed", "hung", "invalid"), "crashed"),
    ],
)
def test_the_best_point_gives_the_verdict(
    states: tuple[State | None, ...], verdict: Verdict
) -> None:
    assert outcome_of(records(*states)).verdict == verdict


def test_an_outcome_has_the_steps_to_the_target_and_the_best_value_of_all_points() -> None:
    result = outcome_of(records("budget", "reached", None))
    assert (result.points, result.steps, result.best) == (2, 90, 0.3)
    assert result.reason == "it was reached"


def test_probes_are_planned_as_any_trial_and_not_scored() -> None:
    plans = plan_probes([REQUEST], probe_names())
    assert len(plans) >= 20
    for plan in plans:
        assert {trial.suite for trial in plan.trials} == {"probes"}
        assert len({trial.identity for trial in plan.trials}) == 3
        assert not any(trial.is_scored for trial in plan.trials)


def test_the_table_says_what_breaks_a_submission() -> None:
    lines = table_text(FRAME).splitlines()
    assert "| `adam` | 3 of 3 | nothing |" in lines
    assert "| `sgd` | 1 of 3 | `huge_gradients` (diverged), `saddle` |" in lines
    (huge,) = [line for line in lines if line.startswith("| `huge_gradients`")]
    assert huge.endswith("| 1 |  | 1 |  |")


def test_the_heat_map_has_the_most_passes_first() -> None:
    (axes,) = probes_figure(FRAME).axes
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["adam", "sgd"]
    assert axes.get_xticklabels()[0].get_text() == "undisturbed"
    codes = axes.collections[0].get_array()
    assert codes is not None
    assert codes.tolist() == [[0, 0, 0], [0, 2, 1]]


def test_without_a_name_the_probes_are_listed() -> None:
    lines = CliRunner().invoke(app, ["probe"]).output.splitlines()
    assert [line.split()[0] for line in lines] == list(probe_names())
    document = json.loads(CliRunner().invoke(app, ["probe", "--json"]).output)
    assert document["one_nan"] == "One target is NaN, at the twentieth step"


def test_unknown_names_are_refused_before_anything_runs(tmp_path: Path) -> None:
    for arguments in (["sgd", "--only", "sadle"], ["sgdd"]):
        result = CliRunner().invoke(app, ["probe", *arguments, "--out", str(tmp_path / "out")])
        assert isinstance(result.exception, UnknownNameError | HarnessError)
    assert not list(tmp_path.iterdir())


@pytest.mark.system
@pytest.mark.parametrize("framework", nightly_but(["torch"], ["torch", "jax"]))
def test_a_submission_is_probed_and_goes_on_where_it_stopped(
    framework: str, tmp_path: Path, data_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(data_cache))
    out = tmp_path / "out"
    arguments = ["probe", "sgd", "--only", "undisturbed", "--only", "huge_gradients",
                 "--threads", "1", "--framework", framework, "--out", str(out),
                 "--json"]  # fmt: skip
    result = json.loads(CliRunner().invoke(app, arguments).stdout)
    verdicts = {each["probe"]: (each["verdict"], each["points"]) for each in result}
    assert verdicts == {"undisturbed": ("pass", 1), "huge_gradients": ("diverged", 3)}
    assert list(pd.read_csv(out / "verdicts.csv")["verdict"]) == ["pass", "diverged"]
    assert not verify_store(out / "records").findings
    again = CliRunner().invoke(app, arguments)
    assert "sgd on" not in again.stderr
    assert json.loads(again.stdout) == result


def test_after_the_time_limit_nothing_is_begun_and_what_is_undecided_is_left_out(
    tmp_path: Path,
) -> None:
    store = tmp_path / "records"
    plans = plan_probes([REQUEST, PlanRequest("", "adamw")], ("undisturbed", "saddle"))
    outcomes_of: list[tuple[State | None, ...]] = [
        ("reached", None, None), ("budget",) * 3, ("reached", None, None), ("budget", None, None),
    ]  # fmt: skip
    for plan, states in zip(plans, outcomes_of, strict=True):
        for trial, record_made in zip(plan.trials, records(*states), strict=True):
            record = TrialRecord(identity=trial.identity, trial=trial, result=record_made.result)
            write_record(store / trial.folder, record)
    place = LocalExecutor(store, EndingsDisplay(pytest.fail))
    outcomes = run_probes(plans, store, RunOptions(), place, until_s=0.0)
    assert [(each.submission, each.probe, each.verdict) for each in outcomes] == [
        ("sgd", "undisturbed", "pass"), ("sgd", "saddle", "fail"),
    ]  # fmt: skip


@pytest.mark.system
def test_no_trial_of_a_round_starts_after_the_time_limit(tmp_path: Path) -> None:
    # Its first steps take longer than the time limit, however fast the machine is.
    slow = write_submission(tmp_path / "slow", SLOW)
    plans = plan_probes([PlanRequest("", str(slow))], ("undisturbed", "saddle"))
    store = tmp_path / "records"
    place = LocalExecutor(store, EndingsDisplay(pytest.fail))
    assert not run_probes(plans, store, RunOptions(), place, time.monotonic() + 0.5)
    assert not list(store.glob("**/events.jsonl"))


def test_a_run_that_decides_nothing_in_its_time_says_that_it_goes_on(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["probe", "sgd", "--only", "saddle", "--time-limit", "0", "--out", str(out)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "1 of 1 verdicts are still to come" in result.output
    assert not (out / "verdicts.csv").exists()
