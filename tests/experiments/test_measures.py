"""One number a trial: after the last step, at its best, or the steps to a target."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from experiments.measures import trials_frame
from experiments.spec import Measure
from experiments.trials import plan_experiment
from harness.plan.trial import Result, State, TrialRecord
from tests.experiments.test_spec import experiment

ACCURACIES = {100: 0.2, 200: 0.5, 300: 0.9, 400: 0.8}


def value(state: State = "budget", **measure: object) -> float:
    """The measure of one trial with these accuracies."""
    spec = experiment()
    (placed_trial, *_) = plan_experiment(spec, spec.quick)
    result = Result(state=state, reason="", timed_s=1.0, steps=400)
    record = TrialRecord(
        identity=placed_trial.trial.identity, trial=placed_trial.trial, result=result
    )
    rows = [
        {"entry": "sgd", "variant": "base", "instance": 1, "metric": "accuracy", "step": step,
         "point": "learning_rate=0.1, momentum=0.0", "value": accuracy}
        for step, accuracy in ACCURACIES.items()
    ]  # fmt: skip
    declared = {"metric": "accuracy", "direction": "maximize", **measure}
    frame = trials_frame(
        [placed_trial], [record], pd.DataFrame(rows), Measure.model_validate(declared)
    )
    return float(frame["value"].item())


def test_the_measure_is_the_last_value_or_the_best() -> None:
    assert (value(), value(at="best")) == (0.8, 0.9)


@pytest.mark.parametrize(("target", "steps"), [(0.6, 225.0), (0.5, 200.0), (0.1, 100.0)])
def test_steps_to_a_target_are_interpolated_between_two_evaluations(
    target: float, steps: float
) -> None:
    assert value(at="target", target=target) == pytest.approx(steps)


def test_a_target_that_is_never_reached_takes_for_ever() -> None:
    assert value(at="target", target=0.95) == math.inf


def test_a_trial_that_did_not_train_to_its_end_has_the_worst_number() -> None:
    assert value("diverged") == -math.inf
    assert value("diverged", at="target", target=0.5) == math.inf
