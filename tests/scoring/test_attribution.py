"""Where a difference in seconds comes from, and two ports of one method."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from scoring.attribution import Attribution, attribute
from scoring.frame import prepare
from scoring.rules import load_rules

from .made_frames import frame, row

MLP = ("adamw", "mlp")


def ports(steps: Sequence[float], other_steps: Sequence[float], cost: float) -> pd.DataFrame:
    """adamw in torch at 10 ms a step and in jax at `cost` times that, a study each."""
    torch, jax = (frame({MLP: [n / 100 for n in counts]}) for counts in (steps, other_steps))
    jax = jax.assign(framework="jax", identity=jax["identity"] + "j")
    for column in ("time_to_target_s", "last_miss_s", "hit_s"):
        jax[column] *= cost
    return prepare(pd.concat([torch, jax], ignore_index=True))


def attribute_results(results: pd.DataFrame, a: str, b: str) -> Attribution:
    attribution = attribute(results, a, b, load_rules())
    assert attribution is not None
    return attribution


def test_honest_ports_differ_by_the_cost_of_a_step_alone() -> None:
    results = ports([500, 540, 460, 510], [510, 520, 470, 500], cost=1.5)
    attribution = attribute_results(results, "adamw (torch)", "adamw (jax)")
    assert attribution.method == "adamw"
    assert attribution.steps.is_within_noise
    assert attribution.step_cost.factor == pytest.approx(1.5)
    assert "steps differ within noise; a step of adamw (jax) costs more" in attribution.sentence()


def test_a_port_that_needs_other_steps_is_not_the_same_method() -> None:
    results = ports([500, 540, 460, 510], [750, 800, 700, 770], cost=1.0)
    attribution = attribute_results(results, "adamw (torch)", "adamw (jax)")
    assert "steps differ beyond noise: not one method" in attribution.sentence()


def test_seconds_are_the_product_of_steps_and_the_cost_of_a_step() -> None:
    attribution = attribute_results(ports([500, 540, 460], [610, 480, 520], cost=1.3), *_labels())
    assert attribution.seconds.factor == pytest.approx(
        attribution.steps.factor * attribution.step_cost.factor
    )


def test_the_interval_of_steps_is_that_of_the_paired_t_test() -> None:
    mine, theirs = [500, 540, 460, 510], [560, 520, 500, 490]
    attribution = attribute_results(ports(mine, theirs, cost=1.0), *_labels())
    pair = ttest_rel(np.log(theirs), np.log(mine)).confidence_interval(0.95)
    assert (attribution.steps.low, attribution.steps.high) == pytest.approx(tuple(np.exp([*pair])))


def test_ports_are_compared_trial_by_trial_whichever_was_the_best() -> None:
    steps = {1: [500, 900], 2: [540, 800], 3: [460, 700]}
    rows = [
        row("adamw", "mlp", study, cost * count / 100, trial=trial, framework=name)
        | {"steps_to_target": count, "identity": f"{name} {study} {trial}"}
        for name, costs in (("torch", (1.0, 1.0)), ("jax", (2.0, 1.0)))
        for study, counts in steps.items()
        for trial, (count, cost) in enumerate(zip(counts, costs, strict=True), start=1)
    ]
    attribution = attribute_results(prepare(pd.DataFrame(rows)), *_labels())
    assert attribution.studies == 6
    assert attribution.steps.factor == pytest.approx(1.0)
    assert attribution.step_cost.factor == pytest.approx(2**0.5)


def test_two_methods_are_no_ports() -> None:
    results = prepare(frame({MLP: [5, 6, 7], ("muon", "mlp"): [4, 5, 5]}))
    assert attribute_results(results, "adamw", "muon").method == ""


def test_studies_that_one_missed_say_nothing_of_a_step() -> None:
    results = prepare(frame({MLP: [5, np.inf, np.inf], ("muon", "mlp"): [np.inf, 5, 6]}))
    assert attribute(results, "adamw", "muon", load_rules()) is None


def _labels() -> tuple[str, str]:
    return "adamw (torch)", "adamw (jax)"
