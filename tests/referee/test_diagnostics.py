"""Diagnostics of snapshots: closed forms of weights, and what a trial asks for."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest

from harness.core.canonical import sha256_json
from harness.frameworks.base import Evaluator
from harness.plan.plan import PlanRequest, plan
from harness.plan.trial import LATER_FIELDS, Diagnostic
from harness.referee.diagnostics import together, wanted_diagnostics
from workloads.parameters import Init, ParameterSpec, Role

START = {"w": np.array([[3.0, 0.0], [0.0, 4.0]], np.float32), "b": np.ones(2, np.float32)}
SPECS = {
    name: ParameterSpec(name, value.shape, Role.VECTOR, 2, 2, Init("normal", 1.0))
    for name, value in START.items()
}


class FixedProbe:
    """An evaluator whose probe is written down here."""

    def probe(self, _: object) -> dict[str, float]:
        return {"loss": 0.5, "gradient_norm": 2.0}

    def sharpness(self, _: object) -> dict[str, float]:
        return {"sharpness": 3.0}

    def curvature(self, _: object) -> dict[str, float]:
        return {"hessian_max": 7.0}


def measure(*names: Diagnostic, w: np.ndarray) -> dict[str, float]:
    functions = wanted_diagnostics(names, cast(Evaluator, FixedProbe()), START, SPECS)
    whole = together(functions)
    assert whole is not None
    return whole({**START, "w": w.astype(np.float32)})


def test_weights_are_compared_with_their_start() -> None:
    result = measure("weights", w=START["w"] + np.array([[0.0, 5.0], [5.0, 0.0]]))
    assert result["norm/w"] == result["weight_norm"] == pytest.approx(math.sqrt(75))
    assert result["change/w"] == pytest.approx(math.sqrt(50) / 5)
    assert result["overlap/w"] == pytest.approx(25 / (5 * math.sqrt(75)))
    assert result["rank/w"] == pytest.approx(2.0)


def test_the_change_of_rank_one_has_the_stable_rank_one() -> None:
    result = measure("weights", w=START["w"] + np.outer([1.0, 2.0], [3.0, -1.0]))
    assert result["rank/w"] == pytest.approx(1.0, rel=1e-5)


def test_weights_that_did_not_move_have_no_rank_and_broken_ones_no_numbers() -> None:
    assert math.isnan(measure("weights", w=START["w"])["rank/w"])
    assert math.isnan(measure("weights", w=np.full((2, 2), np.nan))["rank/w"])


def test_training_is_the_probe_under_names_of_its_own() -> None:
    result = measure("training", "sharpness", "curvature", w=START["w"])
    probed = {"train_loss": 0.5, "gradient_norm": 2.0}
    assert result == {**probed, "sharpness": 3.0, "hessian_max": 7.0}


def test_nothing_is_measured_unless_it_is_asked_for() -> None:
    assert together(wanted_diagnostics((), cast(Evaluator, FixedProbe()), START, SPECS)) is None


def test_a_trial_that_asks_for_nothing_has_the_identity_it_had_before() -> None:
    (trial, *_) = plan(PlanRequest("mlp", "adamw")).trials
    fields = trial.model_dump(mode="json", exclude=set(LATER_FIELDS))
    assert trial.identity == sha256_json(fields)
    changed = trial.model_copy(update={"diagnostics": ("training",)})
    larger = trial.model_copy(update={"batch_size": 2048})
    assert len({trial.identity, changed.identity, larger.identity}) == 3
    assert changed.is_scored and not larger.is_scored
