"""Best points and verdicts, from measures that are written down here."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from scipy.stats import gmean, ttest_1samp

from experiments.claims import Finding, findings, interval, interval_of
from experiments.measures import best_points, mean
from experiments.spec import Claim, Measure

LOSS = Measure(metric="loss", direction="minimize")
Values = dict[tuple[str, str, str], list[float]]


def trials(values: Values) -> pd.DataFrame:
    """One row a trial, from values of the instances by entry, variant and point."""
    return pd.DataFrame(
        [
            {"entry": e, "variant": v, "point": p, "rate": p, "instance": i, "value": value,
             "state": "diverged" if math.isinf(value) else "budget"}
            for (e, v, p), of_instances in values.items()
            for i, value in enumerate(of_instances, start=1)
        ]
    )  # fmt: skip


def finding(values: Values, **claim: object) -> Finding:
    return finding_by(LOSS, values, **claim)


def finding_by(measure: Measure, values: Values, **claim: object) -> Finding:
    declared = Claim.model_validate({"says": "It does.", "entry": "new", **claim})
    (result,) = findings([declared], trials(values), pd.DataFrame(), measure)
    return result


def points(frame: pd.DataFrame) -> dict[tuple[str, str], str]:
    rows = frame[["entry", "variant", "point"]].astype(str).to_numpy()
    return {(entry, variant): point for entry, variant, point in rows}


GRID: Values = {
    ("new", "left", "slow"): [3.0], ("new", "left", "fast"): [1.0],
    ("new", "right", "slow"): [2.0], ("new", "right", "fast"): [math.inf],
    ("new", "right", "middle"): [1.5], ("new", "left", "middle"): [2.0],
}  # fmt: skip


def test_the_best_point_is_each_variants_own() -> None:
    best_points_of = points(best_points(trials(GRID), LOSS))
    assert best_points_of == {("new", "left"): "fast", ("new", "right"): "middle"}


def test_a_shared_point_has_the_best_mean_rank() -> None:
    shared = LOSS.model_copy(update={"shared_point": True})
    assert set(points(best_points(trials(GRID), shared)).values()) == {"middle"}


def test_of_a_metric_to_be_maximised_the_best_is_the_largest() -> None:
    accuracy = Measure(metric="accuracy", direction="maximize")
    assert points(best_points(trials(GRID), accuracy))["new", "left"] == "slow"


def test_a_bound_is_met_on_as_many_variants_as_are_asked_for() -> None:
    values: Values = {("new", "left", "p"): [1.0], ("new", "right", "p"): [3.0]}
    assert finding(values, bound=2.0).verdict == "did not hold"
    assert finding(values, bound=2.0, on=1).verdict == "held"
    assert finding(values, bound=2.0, **{"is": "above"}, on=1).verdict == "held"


def test_where_there_are_fewer_variants_than_a_claim_names_it_is_on_all() -> None:
    assert finding(GRID, bound=2.0, on=3).verdict == "held"
    assert finding(GRID, bound=1.2, on=3).verdict == "did not hold"


def test_a_difference_within_the_noise_of_instances_is_undecided() -> None:
    old = {("old", "left", "p"): [1.0, 2.0, 3.0]}
    assert finding({**old, ("new", "left", "p"): [0.5, 1.4, 2.6]}, than="old").verdict == "held"
    assert (
        finding({**old, ("new", "left", "p"): [0.5, 2.4, 2.6]}, than="old").verdict == "undecided"
    )
    worse: Values = {**old, ("new", "left", "p"): [1.5, 2.6, 3.4]}
    assert finding(worse, than="old").verdict == "did not hold"


def test_what_did_not_train_loses_against_what_did() -> None:
    values: Values = {("new", "left", "p"): [math.inf], ("old", "left", "p"): [5.0]}
    assert finding(values, than="old").verdict == "did not hold"
    assert finding(values, bound=1.0, **{"is": "above"}).verdict == "held"


def test_a_claim_may_hold_a_swept_value_fixed() -> None:
    values: Values = {("new", "left", "slow"): [3.0], ("new", "left", "fast"): [1.0]}
    assert finding(values, bound=2.0).verdict == "held"
    assert finding(values, bound=2.0, at={"rate": "slow"}).verdict == "did not hold"


def test_one_entry_at_two_swept_values_is_compared_with_itself() -> None:
    values: Values = {("new", "left", "slow"): [3.0], ("new", "left", "fast"): [1.0]}
    verdict = finding(values, at={"rate": "fast"}, than_at={"rate": "slow"})
    assert (verdict.verdict, verdict.evidence) == ("held", "left: 1 against 3")


def test_near_is_an_interval_within_the_margin() -> None:
    old = {("old", "left", "p"): [1.0, 2.0, 3.0]}
    verdicts = {
        name: finding({**old, ("new", "left", "p"): new}, than="old", margin=0.5, **{"is": "near"})
        for name, new in (
            ("inside", [1.1, 2.1, 2.9]), ("outside", [2.0, 3.1, 4.0]), ("across", [1.2, 2.2, 4.0])
        )
    }  # fmt: skip
    assert [result.verdict for result in verdicts.values()] == ["held", "did not hold", "undecided"]


def test_two_that_did_not_train_are_not_near_each_other() -> None:
    values: Values = {(name, "left", "p"): [math.inf] for name in ("new", "old")}
    assert finding(values, than="old", margin=1.0, **{"is": "near"}).verdict == "undecided"


def test_another_metric_is_taken_at_the_point_that_is_best_by_the_measure() -> None:
    values: Values = {("new", "left", "slow"): [3.0], ("new", "left", "fast"): [1.0]}
    norms = {("slow", 50): 1.0, ("slow", 100): 2.0, ("fast", 50): 5.0, ("fast", 100): 7.0}
    rows = [
        {"entry": "new", "variant": "left", "instance": 1, "point": p, "step": s,
         "metric": "norm", "value": v}
        for (p, s), v in norms.items()
    ]  # fmt: skip
    claim = Claim.model_validate(
        {"says": "It rises.", "entry": "new", "is": "above", "metric": "norm", "than_when": 0.5}
    )
    (result,) = findings([claim], trials(values), pd.DataFrame(rows), LOSS)
    assert (result.verdict, result.evidence) == ("held", "left: 7 against 5")


def test_a_claim_may_be_about_some_variants() -> None:
    values: Values = {("new", "left", "p"): [1.0], ("new", "right", "p"): [3.0]}
    assert finding(values, bound=2.0, variants=["left"]).verdict == "held"


def test_an_untested_claim_says_why() -> None:
    result = finding({("new", "left", "p"): [1.0]}, entry="", untested="no such method")
    assert (result.verdict, result.evidence) == ("not tested", "no such method")


def test_the_interval_is_that_of_a_t_test() -> None:
    values = [1.0, 2.5, 2.0, 4.0]
    expected = ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert interval(values) == pytest.approx((expected.low, expected.high))
    assert interval([3.0]) == (3.0, 3.0)


LOG = LOSS.model_copy(update={"scale": "log"})


def test_on_a_logarithmic_scale_a_steady_ratio_decides_where_the_differences_do_not() -> None:
    values: Values = {
        ("new", "left", "p"): [1e-3, 1e-2, 1.0],
        ("old", "left", "p"): [2.1e-3, 2e-2, 1.9],
    }
    assert finding(values, than="old").verdict == "undecided"
    assert finding_by(LOG, values, than="old").verdict == "held"


def test_a_geometric_mean_and_its_interval_stay_positive() -> None:
    values = [0.01, 0.02, 1.0]
    assert mean(values, LOG) == pytest.approx(gmean(values))
    low, high = interval_of(values, LOG)
    assert 0.0 < low < mean(values, LOG) < high
    assert (math.log(low), math.log(high)) == pytest.approx(interval([math.log(v) for v in values]))


def test_the_best_point_on_a_logarithmic_scale_has_the_best_geometric_mean() -> None:
    grid: Values = {("new", "left", "even"): [0.5, 0.5], ("new", "left", "uneven"): [1e-4, 1.1]}
    assert points(best_points(trials(grid), LOSS)) == {("new", "left"): "even"}
    assert points(best_points(trials(grid), LOG)) == {("new", "left"): "uneven"}


def test_a_claim_may_compare_variants() -> None:
    values: Values = {("new", "left", "p"): [1.0], ("new", "right", "p"): [3.0]}
    assert finding(values, variants=("left",), than_variant="right").verdict == "held"
    assert finding(values, variants=("right",), than_variant="left").verdict == "did not hold"


def test_the_evidence_has_the_interval_over_instances() -> None:
    values: Values = {("new", "left", "p"): [1.0, 2.0, 3.0], ("old", "left", "p"): [2.0, 3.0, 5.0]}
    assert finding(values, than="old").evidence.endswith(", difference -2.77 to 0.101")
    ratio = finding_by(LOG, values, than="old").evidence.rpartition(", ratio ")[2]
    low, high = interval([math.log(1 / 2), math.log(2 / 3), math.log(3 / 5)])
    assert ratio == f"{math.exp(low):.3g} to {math.exp(high):.3g}"


@pytest.mark.parametrize(("metric", "verdict"), [("loss", "did not hold"), ("norm", "undecided")])
def test_what_a_diverged_trial_had_before_does_not_stand_for_its_end(
    metric: str, verdict: str
) -> None:
    frame = trials({("new", "left", "p"): [math.inf], ("old", "left", "p"): [2.0]})
    keys = ["entry", "variant", "instance", "point"]
    evaluations = frame[keys].assign(step=5, metric=metric, value=[0.1, 0.5])
    claim = Claim(says="It does.", entry="new", than="old", metric=metric, when=1.0)
    (result,) = findings([claim], frame, evaluations, LOSS)
    assert result.verdict == verdict


def test_a_trial_that_missed_a_target_has_the_metric_that_it_ended_with() -> None:
    steps = Measure(metric="accuracy", direction="maximize", at="target", target=0.9)
    frame = trials({("new", "left", "p"): [math.inf]}).assign(state="budget")
    keys = ["entry", "variant", "instance", "point"]
    evaluations = frame[keys].assign(step=5, metric="accuracy", value=0.8)
    claim = Claim.model_validate(
        {"says": "It comes near.", "entry": "new", "is": "above", "bound": 0.7, "when": 1.0}
    )
    (result,) = findings([claim], frame, evaluations, steps)
    assert result.verdict == "held"
