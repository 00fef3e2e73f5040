"""Every terminal state, each by a submission that ends that way."""

import time

import pytest

from harness.record.attempts import of_type
from harness.record.schema import Warm

from .conftest import Bench

ADAMW = """
import torch
def build(problem, hyperparameters):
    return torch.optim.AdamW(problem.parameters.values(), lr=hyperparameters["learning_rate"])
"""

CLASS = """
import os, sys, time
import numpy as np
import torch
class Submission:
    def setup(self, problem, hyperparameters):
        self.problem, self.steps = problem, 0
    def step(self, stream):
        self.steps += 1
        time.sleep(0.002)
        if self.steps > 10:
            self.act()
    def act(self):
        {act}
    def eval_parameters(self):
        {give}
"""
LIVE = "return self.problem.parameters"


def acting(act: str = "pass", give: str = LIVE) -> str:
    return CLASS.format(act=act, give=give)


def test_reached_when_a_snapshot_meets_the_target(bench: Bench) -> None:
    result = bench.run(ADAMW, seconds=20.0, target=0.2)
    assert result.state == "reached"
    assert result.last_miss_s is not None and result.time_to_target_s is not None
    assert 0.0 <= result.last_miss_s < result.time_to_target_s < 20.0
    assert result.best_metric is not None and result.best_metric >= 0.2


def test_budget_when_the_target_stays_out_of_reach(bench: Bench) -> None:
    result = bench.run(acting())
    assert (result.state, result.time_to_target_s) == ("budget", None)
    assert 1.0 <= result.timed_s < 1.5


def test_diverged_when_parameters_are_not_finite(bench: Bench) -> None:
    result = bench.run(acting("next(iter(self.problem.parameters.values())).data.fill_(np.nan)"))
    assert result.state == "diverged"
    assert "not finite at step" in result.reason


def test_crashed_names_the_submissions_last_frame(bench: Bench) -> None:
    result = bench.run(acting("raise RuntimeError('no such luck')"))
    assert result.state == "crashed"
    assert "RuntimeError: no such luck" in result.reason
    assert "(submission.py:14 in act" in result.reason


@pytest.mark.parametrize(
    "act", ["os._exit(0)", "sys.exit(0)", "os.kill(os.getpid(), 9)", "os.close(3); os._exit(0)"]
)
def test_crashed_when_the_worker_ends_in_mid_trial(bench: Bench, act: str) -> None:
    result = bench.run(acting(act))
    assert result.state == "crashed"


@pytest.mark.parametrize("source", ["import no_such_module", "def build(:", "x = 1", "1 / 0"])
def test_crashed_when_the_submission_does_not_import(bench: Bench, source: str) -> None:
    result = bench.run(source)
    assert result.state == "crashed"
    assert "submission.py" in result.reason


def test_out_of_memory_when_it_takes_more_than_is_allowed(bench: Bench) -> None:
    trial = bench.trial(acting("self.hoard = np.ones(2**31)"))
    trial = trial.model_copy(update={"limits": trial.limits.model_copy(update={"memory_gib": 4.0})})
    assert bench.run_planned(trial).state == "out_of_memory"


def test_hung_is_stopped_within_two_seconds_of_the_budgets_end(bench: Bench) -> None:
    result = bench.run(acting("time.sleep(1000)"))
    assert result.state == "hung"
    assert 1.0 < result.timed_s <= 3.2


def test_hung_when_the_steps_of_a_budget_take_longer_than_its_bound(bench: Bench) -> None:
    result = bench.run_planned(bench.trial(acting(), seconds=1.0, steps=100_000))
    assert result.state == "hung"
    assert "was not made within 1 s" in result.reason


def test_hung_in_setup_is_not_waited_for_beyond_the_warm_up(bench: Bench) -> None:
    trial = bench.trial(acting().replace("self.steps = problem, 0", "self.steps = time.sleep(99)"))
    trial = trial.model_copy(update={"limits": trial.limits.model_copy(update={"warmup_s": 0.2})})
    start_s = time.monotonic()
    assert bench.run_planned(trial).state == "hung"
    assert time.monotonic() - start_s < 20.0


@pytest.mark.parametrize(
    "give",
    [
        "return {}",
        "return {k: v[:1] for k, v in self.problem.parameters.items()}",
        "return {k + 'x': v for k, v in self.problem.parameters.items()}",
        "return dict(self.problem.parameters, extra=torch.zeros(3))",
    ],
)
def test_invalid_when_the_snapshot_is_not_the_models(bench: Bench, give: str) -> None:
    assert bench.run(acting(give=give)).state in ("invalid", "crashed")


def test_what_setting_up_takes_is_taken_from_the_warm_up(bench: Bench) -> None:
    slow = "import time; time.sleep(1.0)\n" + acting().replace("sleep(0.002)", "sleep(0.5)")
    trial = bench.trial(slow, seconds=600.0, steps=2)
    trial = trial.model_copy(update={"limits": trial.limits.model_copy(update={"warmup_s": 1.4})})
    assert bench.run_planned(trial).state == "budget"
    (warm,) = of_type(bench.events(trial), Warm)
    assert warm.steps < 3
