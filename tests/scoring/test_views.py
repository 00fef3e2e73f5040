from math import comb
from typing import Any

import numpy as np
import pandas as pd
import pytest

from scoring.evaluate import score_results
from scoring.frame import prepare
from scoring.pool import critical_difference, pool_sensitivity
from scoring.relaxation import evaluations_of, relaxation_curve, shift_target
from scoring.report.tables import workload_table
from scoring.report.views import same_groups
from scoring.rules import load_rules
from scoring.tuning import MOST_SHOWN, _weights, best_after_trials, sensitivity

from .made_frames import curves, frame, row


def trials(times: list[float], points: list[float]) -> pd.DataFrame:
    return prepare(
        pd.DataFrame(
            [
                row("muon", "mlp", 1, time_s, trial=trial, point={"lr": point, "name": "x"})
                for trial, (time_s, point) in enumerate(zip(times, points, strict=True), start=1)
            ]
        )
    )


def test_the_expected_best_after_k_is_the_mean_over_all_choices() -> None:
    table = best_after_trials(trials([10.0, 20.0, np.inf], [1, 2, 3])).set_index("trials")
    # The third trial counts at its budget of 60 s.
    assert table["expected_s"].tolist() == pytest.approx([30.0, 40 / 3, 10.0])
    assert table["fraction_reached"].tolist() == pytest.approx([2 / 3, 1.0, 1.0])


@pytest.mark.parametrize("n", [5, 40])
def test_weights_of_choices_are_ratios_of_binomials(n: int) -> None:
    for k in range(1, n + 1):
        exact = [comb(n - i, k - 1) / comb(n, k) for i in range(1, n + 1)]
        assert _weights(n, k) == pytest.approx(exact, rel=1e-12)


def test_thousands_of_trials_have_an_expected_best() -> None:
    times = np.random.default_rng(0).uniform(10.0, 50.0, 5000)
    table = best_after_trials(trials(list(times), list(range(5000))))
    assert 40 < len(table) <= MOST_SHOWN
    assert (table["trials"].iloc[0], table["trials"].iloc[-1]) == (1, 5000)
    assert table["expected_s"].is_monotonic_decreasing
    assert table["expected_s"].iloc[0] == pytest.approx(times.mean())
    assert table["expected_s"].iloc[-1] == times.min()


def test_sensitivity_is_a_rank_correlation_with_misses_last() -> None:
    table = sensitivity(trials([10.0, 20.0, 30.0, np.inf], [0.001, 0.01, 0.1, 1.0]))
    assert table["hyperparameter"].tolist() == ["lr"]
    assert table.loc[0, "correlation"] == pytest.approx(1.0)
    assert (table.loc[0, "fast_low"], table.loc[0, "fast_high"]) == (0.001, 0.01)


def test_leaving_out_the_best_moves_the_scores_of_the_others() -> None:
    board = score_results(frame({("a", "w"): [10.0], ("b", "w"): [15.0], ("c", "w"): [30.0]}))
    table = pool_sensitivity(board).set_index(["left_out", "submission"])
    assert table.loc[("a", "b"), "score_without"] == 1.0
    of_b: Any = table.loc[("c", "b")]
    assert of_b["score_without"] == of_b["score"]


def test_the_critical_difference_is_nemenyis() -> None:
    times = {(s, f"w{w}"): [10.0 * i] for i, s in enumerate("abcde", 1) for w in range(30)}
    ranks = critical_difference(score_results(frame(times)))
    assert ranks is not None
    # Demsar 2006, table 5: q = 2.459 for 5 classifiers at 0.10.
    assert ranks.difference == pytest.approx(2.459 * np.sqrt(5 * 6 / (6 * 30)), rel=1e-3)
    assert ranks.mean_ranks.tolist() == [1, 2, 3, 4, 5]
    assert ranks.p_value < 1e-6


def test_groups_are_the_longest_runs_within_the_difference() -> None:
    assert same_groups(np.array([1.0, 1.5, 2.4, 4.0]), 1.0) == [(0, 1), (1, 2)]
    assert same_groups(np.array([1.0, 3.0]), 1.0) == []


def made_results() -> pd.DataFrame:
    return prepare(frame({("a", "w"): [10.0, 12.0], ("b", "w"): [20.0, np.inf]}))


def shifted(results: pd.DataFrame, easier_by: float) -> pd.DataFrame:
    evaluations = evaluations_of(results, curves(results))
    return shift_target(results, evaluations, easier_by, load_rules())


def test_an_easier_target_is_met_sooner() -> None:
    results = made_results()
    easier = shifted(results, 0.10)
    reached = results["state"] == "reached"
    assert (easier["time_to_target_s"] <= results["time_to_target_s"].fillna(np.inf)).all()
    assert (easier["state"][reached] == "reached").all()


def test_harder_targets_need_trials_that_ran_to_the_end() -> None:
    results = made_results()
    shifts = relaxation_curve(results, curves(results), load_rules())["easier_by"]
    assert (shifts.min(), shifts.max()) == (0.0, 0.10)
    whole = results.assign(timed_s=results["budget_s"])
    assert relaxation_curve(whole, curves(whole), load_rules())["easier_by"].min() == -0.10


def test_an_evaluation_after_the_budget_meets_no_target() -> None:
    results = made_results()
    evaluations = evaluations_of(results.assign(budget_s=0.0), curves(results))
    late = shift_target(results, evaluations, 0.1, load_rules())
    assert np.isinf(late["time_to_target_s"]).all()


def test_an_invalid_trial_stays_without_a_time() -> None:
    results = made_results().assign(state="invalid")
    assert np.isinf(shifted(results, 0.1)["time_to_target_s"]).all()


def test_the_steps_beside_a_time_are_those_of_the_same_trial() -> None:
    slow_steps = {"trial": 1, "steps_to_target": 100.0}
    fast_steps = {"trial": 2, "steps_to_target": 900.0}
    trials = [row("a", "mlp", 1, 9.0, **slow_steps), row("a", "mlp", 1, 5.0, **fast_steps)]
    results = pd.DataFrame(trials)
    (line,) = workload_table(score_results(results), prepare(results)).to_dict("records")
    assert (line["time_to_target_s"], line["steps_to_target"]) == (5.0, 900.0)
