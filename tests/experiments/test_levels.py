"""When entries cross levels of the metric: the frame, and the page's table."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from experiments.job import Job
from experiments.levels import levels_frame, levels_lines
from experiments.spec import Form, Measure
from tests.experiments.test_spec import experiment

MEASURE = Measure(metric="accuracy", direction="maximize", levels=(0.4, 0.5))
FORM = Form(suite="quick", workload="mlp", steps=1000, points=2)
KEYS = ["entry", "variant", "instance", "point"]


def job() -> Job:
    spec = experiment().model_copy(update={"measure": MEASURE, "full": FORM})
    return Job("test", spec, FORM, Path("unused"))


def crossings(*states: str) -> pd.DataFrame:
    """The levels of two instances that rise from 0.3 to 0.45 and 0.6 in 1000 steps and 10 s."""
    best = pd.DataFrame(
        [
            {"entry": "sgd", "variant": "base", "instance": i, "point": "p", "state": state}
            for i, state in enumerate(states, start=1)
        ]
    )
    start = best[KEYS].assign(step=500, time_s=4.0, value=0.3)
    end = best[KEYS].assign(step=1000, time_s=10.0, value=[0.45, 0.6][: len(states)])
    return levels_frame(job(), best, pd.concat([start, end]).assign(metric="accuracy"))


def test_steps_and_seconds_are_interpolated_between_two_evaluations() -> None:
    frame = crossings("budget", "budget").set_index(["instance", "level"])
    assert frame.loc[(2, 0.5), "step"] == pytest.approx(500 + 500 * 2 / 3)
    assert frame.loc[(2, 0.5), "time_s"] == pytest.approx(4.0 + 6.0 * 2 / 3)
    assert frame.loc[(1, 0.5), "step"] == math.inf


def test_a_trial_that_did_not_train_to_its_end_crosses_nothing() -> None:
    assert set(crossings("diverged", "crashed")["step"]) == {math.inf}


def test_the_page_has_medians_and_how_many_cross() -> None:
    (row,) = list(levels_lines(job(), crossings("budget", "budget")))[2:]
    # 80,000 examples in batches of 1,024 are 78 steps an epoch
    assert row == "| base | sgd | 750 steps, 9.6 epochs, 7.0 s (2 of 2) | - (1 of 2) |"


def test_without_levels_there_is_no_table() -> None:
    spec = replace(job(), experiment=experiment())
    frame = levels_frame(spec, pd.DataFrame(columns=[*KEYS, "state"]), pd.DataFrame(
        columns=[*KEYS, "metric", "step", "time_s", "value"]))  # fmt: skip
    assert frame.empty
    assert not list(levels_lines(spec, frame))
