"""Targets that a baseline sets: the rule in small numbers, and the referee's own crossing."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from harness.core.errors import HarnessError
from harness.referee.looks import Look
from harness.referee.looks import crossing as referee_crossing
from scoring.baselines import with_baseline_targets
from scoring.evaluate import score_results
from scoring.frame import prepare
from tests.scoring.made_frames import Row, row
from workloads.targets import Target

TIMES = (6.0, 12.0, 30.0, 36.0, 42.0, 60.0)
"""Of the evaluations, in a budget of 60 s: the fraction 0.6 is the fourth."""


def trial(submission: str, study: int, number: int = 1, **other: object) -> Row:
    """A trial on a drawn model, which no known target has ended."""
    drawn = {"variant": "drawn-0123456789abcdef", "target": np.nan, "baseline": "adamw",
             "baseline_fraction": 0.6}  # fmt: skip
    return row(submission, "mlp", study, math.inf, trial=number, **drawn | other)


def curve(of: Row, *values: float) -> pd.DataFrame:
    columns = {"identity": of["identity"], "time_s": TIMES, "step": np.multiply(TIMES, 10),
            "examples": np.multiply(TIMES, 1280), "fraction": np.divide(TIMES, 60.0),
            "split": "validation", "metric": "accuracy", "value": values}  # fmt: skip
    return pd.DataFrame(columns)


def timed_trials(*trials: tuple[Row, tuple[float, ...]]) -> pd.DataFrame:
    curves = pd.concat([curve(of, *values) for of, values in trials])
    return with_baseline_targets(pd.DataFrame([of for of, _ in trials]), lambda: curves)


SLOW = (0.1, 0.2, 0.3, 0.4, 0.5, 0.9)
FAST = (0.1, 0.5, 0.7, 0.6, 0.8, 0.9)


def test_the_target_is_the_best_value_by_the_fraction_of_the_best_trial_of_a_study() -> None:
    frame = timed_trials((trial("adamw", 1, 1), SLOW), (trial("adamw", 1, 2), FAST))
    assert set(frame["target"]) == {0.7}


def test_it_is_the_median_over_the_studies_of_the_baseline() -> None:
    lower = tuple(value - 0.05 for value in SLOW)
    studies = [(trial("adamw", n), v) for n, v in enumerate((SLOW, FAST, lower), start=1)]
    assert set(timed_trials(*studies, (trial("muon", 1), FAST))["target"]) == {0.4}


def test_a_time_is_the_crossing_that_the_referee_would_have_interpolated() -> None:
    frame = timed_trials((trial("adamw", 1), SLOW), (trial("muon", 1), FAST)).set_index(
        "submission"
    )
    target = Target(metric="accuracy", direction="maximize", value=0.4)
    expected = referee_crossing(Look(6.0, 0.1), Look(12.0, 0.5), target)
    of_muon = frame.loc["muon"]
    assert of_muon["time_to_target_s"] == pytest.approx(expected)
    assert (of_muon["last_miss_s"], of_muon["hit_s"], of_muon["steps_to_target"]) == (6, 12, 120)
    assert of_muon["state"] == frame.loc["adamw", "state"] == "reached"
    assert frame.loc["adamw", "hit_s"] == 36.0


def test_lower_is_better_where_the_metric_is_minimised() -> None:
    losses = {name: tuple(1.0 - v for v in values) for name, values in
              (("adamw", SLOW), ("muon", FAST))}  # fmt: skip
    frame = timed_trials(*((trial(n, 1, direction="minimize"), v) for n, v in losses.items()))
    assert frame["target"].tolist() == pytest.approx([0.6, 0.6])
    assert frame["hit_s"].tolist() == [36.0, 12.0]


def test_what_does_not_reach_it_or_was_invalid_has_no_time() -> None:
    low = (0.1,) * 6
    frame = timed_trials(
        (trial("adamw", 1), SLOW),
        (trial("sgd", 1), low),
        (trial("cheat", 1, state="invalid"), FAST),
    )
    assert frame["state"].tolist() == ["reached", "budget", "invalid"]
    assert frame["time_to_target_s"].iloc[1:].eq(math.inf).all()


def test_another_rounds_baseline_sets_no_target() -> None:
    frame = timed_trials((trial("adamw", 1, round="b" * 64), SLOW), (trial("muon", 1), FAST))
    assert frame["target"].isna().tolist() == [False, True]


def test_a_score_without_the_baselines_trials_is_refused_and_says_what_is_missing() -> None:
    base = [row(name, "mlp", 1, 10.0) for name in ("muon", "sgd")]
    frame = pd.DataFrame([*base, trial("muon", 1), trial("sgd", 1)])
    with pytest.raises(HarnessError, match=r"missing-baselines.*no trial of adamw .* on mlp_drawn"):
        score_results(frame)


def test_a_miss_on_the_drawn_model_costs_the_base() -> None:
    base = [row(name, "mlp", 1, 10.0) for name in ("adamw", "muon", "sgd")]
    drawn = timed_trials(
        (trial("adamw", 1), SLOW), (trial("muon", 1), FAST), (trial("sgd", 1), (0.1,) * 6)
    )
    board = score_results(pd.concat([pd.DataFrame(base), drawn], ignore_index=True))
    assert board.base == ("mlp",)
    assert dict(zip(board.times.submissions, board.scores, strict=True)) == {
        "adamw": 1.0, "muon": 1.0, "sgd": 0.0,
    }  # fmt: skip
    assert set(prepare(drawn)["column"]) == {"mlp_drawn-0123456789abcdef"}
