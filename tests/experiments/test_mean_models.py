"""Branches in several orders: their places, and a run whose bias and variance add up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.mean_models import mean_model
from experiments.spec import Experiment
from experiments.trials import plan_experiment, trunks_of
from tests.experiments.test_results import own_cache, run
from tests.experiments.test_spec import refusal
from workloads.toml import parse_toml

__all__ = ["own_cache"]
TEXT = """
title = "A trunk"
source = "nowhere"
question = "Which?"
reference = "longer"
[set]
warmup = 0.0
horizon = 1.0
[trunk]
submission = "adamw"
set = { schedule = "constant" }
[full]
suite = "landscapes"
workload = "small_mlp"
trunk_steps = 30
steps = 10
points = 2
orders = 3
[quick]
suite = "landscapes"
workload = "small_mlp"
trunk_steps = 20
steps = 4
points = 2
orders = 2
[[entries]]
submission = "adamw"
set = { schedule = "linear" }
[[entries]]
submission = "adamw"
label = "longer"
longer = 2
set = { schedule = "linear" }
[measure]
metric = "loss"
direction = "minimize"
[figure]
kind = "curves"
"""


def test_every_entry_branches_off_one_trunk_in_each_order() -> None:
    spec = parse_toml(TEXT, "test.toml", Experiment)
    placed_trials = plan_experiment(spec, spec.full)
    (trunk,) = trunks_of(placed_trials)
    assert (trunk.budget.steps, trunk.keeps_end, trunk.branch) == (30, True, None)
    assert [each.order for each in placed_trials] == [1, 2, 3] * 2
    assert [each.trial.budget.steps for each in placed_trials] == [10] * 3 + [20] * 3
    assert {each.trial.instance_seed for each in placed_trials} == {trunk.instance_seed}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("trunk_steps = 30\n", "", "'trunk_steps' is required in both forms"),
        (
            'reference = "longer"',
            'reference = "long"',
            "reference is 'long', which is not an entry",
        ),
        (
            '[[entries]]\nsubmission = "adamw"',
            '[[entries]]\nsubmission = "sgd"',
            "from the state of",
        ),
        ("horizon = 1.0", 'average = "ema"', "average is 'ema', and a branch begins with"),
    ],
)
def test_a_trunk_that_does_not_fit_is_named(old: str, new: str, words: str) -> None:
    assert words in refusal(text=TEXT.replace(old, new, 1))


def test_a_mean_model_is_the_mean_of_each_parameter() -> None:
    models = [{"w": np.full((2, 2), value, np.float32)} for value in (1.0, 2.0, 6.0)]
    assert (mean_model(models)["w"] == 3.0).all()


@pytest.mark.system
@pytest.mark.usefixtures("own_cache")
def test_bias_and_variance_are_what_the_mean_loss_exceeds_the_reference_by(tmp_path: Path) -> None:
    run(tmp_path, TEXT, "--threads", "1")
    assert len(pd.read_csv(tmp_path / "out" / "trials.csv")) == 2
    frame = pd.read_csv(tmp_path / "out" / "evaluations.csv")
    last = frame[frame["step"] == frame.groupby("entry")["step"].transform("max")]
    own = last.set_index(["entry", "metric"])["value"]
    excess = own["adamw", "loss"] - own["longer", "mean_model"]
    assert own["adamw", "bias"] + own["adamw", "variance"] == pytest.approx(excess, abs=1e-9)
    assert own["longer", "bias"] == 0.0
    assert own["adamw", "variance"] > 0.0
