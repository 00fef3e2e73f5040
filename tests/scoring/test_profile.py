import numpy as np
import pytest

from scoring.profile import (
    integrate,
    median_times,
    profile,
    ratios_to_best,
    score_medians,
    settle_missing,
    times_by_rules,
)
from scoring.rules import Quadrature, Rules

INF, NAN = np.inf, np.nan
RULES = Rules(base=("a",), held_out={"a_x": "a"})
PLAIN = Rules(base=("a",))


def base_times(rows: list[list[float]], rules: Rules = RULES) -> list[float]:
    columns = ("a", "a_x")[: len(rows[0])]
    return [float(time) for time in times_by_rules(np.array(rows), columns, rules)[:, 0]]


def test_the_median_of_an_even_number_is_infinite_if_one_of_the_middle_two_is() -> None:
    times = np.array([[1.0, 2.0, INF, INF], [1.0, 2.0, 3.0, INF], [4.0, NAN, 2.0, NAN]])
    assert median_times(times).tolist() == [INF, 2.5, 3.0]


def test_no_study_at_all_counts_as_not_reached() -> None:
    assert median_times(np.array([[NAN, NAN]])).tolist() == [INF]


def test_a_missing_study_is_dropped_or_not_reached_as_the_rules_say() -> None:
    times = np.array([[[1.0, 2.0, NAN, NAN]], [[1.0, 2.0, 3.0, NAN]]])
    assert median_times(settle_missing(times, Rules()))[0, 0] == 1.5
    hits = settle_missing(times, Rules(missing="not_reached"))
    # The fourth study is nobody's, so it is not missing.
    assert median_times(hits).tolist() == [[2.0], [2.0]]


def test_a_held_out_variant_falls_with_its_base() -> None:
    # The first entry's variant would be the best of its column; with its base it is gone, and the
    # second's 5.0 is compared with itself.
    assert base_times([[INF, 1.0], [2.0, 5.0]]) == [INF, 2.0]


def test_a_time_over_the_cutoff_does_not_count() -> None:
    assert base_times([[1.0], [4.0], [4.0000001]], PLAIN) == [1.0, 4.0, INF]


def test_a_base_falls_with_its_held_out_variant() -> None:
    assert base_times([[1.0, INF], [2.0, 3.0]]) == [INF, 2.0]


def test_a_held_out_time_over_the_cutoff_takes_its_base_along() -> None:
    assert base_times([[1.0, 9.0], [2.0, 2.0]]) == [INF, 2.0]


def test_the_best_of_a_column_is_computed_anew_after_the_rules() -> None:
    scores = score_medians(np.array([[1.0, INF], [3.0, 3.0]]), ("a", "a_x"), RULES)
    assert scores.tolist() == [0.0, pytest.approx(1.0)]


def test_a_variant_that_nobody_ran_counts_as_not_reached() -> None:
    assert base_times([[1.0]]) == [INF]


def test_a_base_workload_that_nobody_reached_is_zero_for_all() -> None:
    rules = Rules(base=("a", "b"), quadrature=Quadrature(rule="exact"))
    assert score_medians(np.array([[1.0, INF], [2.0, INF]]), ("a", "b"), rules)[0] == 0.5


def test_zero_times_tie_with_each_other_and_beat_all_else() -> None:
    assert ratios_to_best(np.array([[0.0], [0.0], [1.0]]))[:, 0].tolist() == [1.0, 1.0, INF]


def test_the_exact_integral_is_the_limit_of_the_trapezoid_rule() -> None:
    ratios = np.array([[1.0, 2.3, 3.99, 4.0, INF, 7.0]])
    exact = integrate(ratios, Rules(quadrature=Quadrature(rule="exact")))
    fine = integrate(ratios, Rules(quadrature=Quadrature(points=1_000_001)))
    assert exact == pytest.approx(fine, abs=1e-6)
    assert exact[0] == pytest.approx((3 + 1.7 + 0.01) / 3 / 6)


def test_the_trapezoid_rule_is_that_of_the_sampled_profile() -> None:
    ratios = np.random.default_rng(0).uniform(0.9, 5, (4, 7))
    ratios[0, :3] = [1.0, 4.0, INF]
    taus = np.linspace(1, 4, 100)
    expected = np.trapezoid(profile(ratios, taus), taus, axis=1) / 3
    assert integrate(ratios, Rules()) == pytest.approx(expected, abs=1e-14)


def test_leading_axes_are_resamples() -> None:
    times = np.random.default_rng(1).uniform(1, 9, (5, 3, 2))
    together = score_medians(times, ("a", "a_x"), RULES)
    assert together.tolist() == [score_medians(t, ("a", "a_x"), RULES).tolist() for t in times]
