"""Comparisons that may be looked at after every study."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import nct, norm
from scipy.stats import t as student

from scoring.paired import ratios_within
from scoring.rules import Rules, load_rules
from scoring.sequential import (
    ALPHA,
    EFFECT,
    SequentialTest,
    compare_sequentially,
    sequential_test,
)
from scoring.times import Times

INF = np.inf


@st.composite
def log_ratio_tables(draw: st.DrawFn) -> np.ndarray:
    """Log ratios (W, K) with noise, so that no two studies are equal."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(2, 8)))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shift = draw(st.floats(-1.0, 1.0))
    return shift + draw(st.floats(0.01, 0.5)) * random.standard_normal(shape)


def t_of(test: SequentialTest) -> float:
    return test.mean / math.sqrt(test.squares / test.freedom * test.variance)


@pytest.mark.parametrize(("workloads", "studies"), [(1, 4), (3, 3), (4, 2)])
def test_evidence_is_the_mean_of_noncentral_t_densities_over_the_prior(
    workloads: int, studies: int
) -> None:
    test = sequential_test(0.2 + 0.1 * np.random.default_rng(1).normal(size=(workloads, studies)))
    x, nu, root = t_of(test), test.freedom, math.sqrt(workloads * studies)
    alternative, _ = quad(
        lambda effect: nct.pdf(x, nu, effect * root) * norm.pdf(effect, scale=EFFECT), -12, 12
    )
    assert test.log_evidence == pytest.approx(math.log(alternative / student.pdf(x, nu)), rel=1e-5)


def test_statistic_of_one_workload_is_that_of_the_paired_t_test() -> None:
    from scipy.stats import ttest_rel

    logs = np.random.default_rng(2).normal(size=(2, 7))
    test, expected = sequential_test((logs[1] - logs[0])[None]), ttest_rel(logs[1], logs[0])
    assert t_of(test) == pytest.approx(expected.statistic)
    assert test.p_value == pytest.approx(expected.pvalue)


def test_a_look_that_was_fixed_before_is_welchs_test_where_workloads_differ_in_noise() -> None:
    from scipy.stats import ttest_ind

    random = np.random.default_rng(4)
    one, other = 0.3 + 0.1 * random.normal(size=5), 0.2 + 0.4 * random.normal(size=5)
    test = sequential_test(np.stack([one, other]))
    # The mean of the two is zero where the one's mean is that of the other's negative.
    expected = ttest_ind(one, -other, equal_var=False)
    assert test.p_value == pytest.approx(expected.pvalue)


@given(log_ratio_tables())
def test_it_is_settled_just_where_the_interval_leaves_out_one(ratios: np.ndarray) -> None:
    test = sequential_test(ratios)
    low, high = test.interval()
    assert low <= test.factor <= high
    assert test.is_settled == (not low <= 1.0 <= high)


@given(log_ratio_tables())
def test_exchanging_the_entries_inverts_the_factor_and_keeps_the_evidence(
    ratios: np.ndarray,
) -> None:
    one, other = sequential_test(ratios), sequential_test(-ratios)
    assert one.log_evidence == pytest.approx(other.log_evidence)
    assert one.factor == pytest.approx(1 / other.factor)


@given(log_ratio_tables(), st.floats(-3.0, 3.0), st.floats(0.1, 10.0))
def test_evidence_knows_neither_the_noise_nor_what_differs_between_workloads(
    ratios: np.ndarray, shift: float, scale: float
) -> None:
    contrast = shift * (np.arange(len(ratios)) - (len(ratios) - 1) / 2)
    second = sequential_test(scale * ratios + contrast[:, None])
    assert second.log_evidence == pytest.approx(sequential_test(ratios).log_evidence, abs=1e-6)


@given(log_ratio_tables(), st.integers(0, 2**32 - 1))
def test_the_order_of_studies_does_not_matter(ratios: np.ndarray, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(ratios.shape[1])
    before, after = sequential_test(ratios), sequential_test(ratios[:, order])
    assert after.log_evidence == pytest.approx(before.log_evidence)


def test_one_study_and_no_study_settle_nothing() -> None:
    for ratios in (np.ones((3, 1)), np.full((2, 4), np.nan), np.empty((0, 0))):
        test = sequential_test(ratios)
        assert not test.is_settled
        assert test.interval() == (0.0, INF)


def test_equal_times_in_every_study_are_never_settled() -> None:
    test = sequential_test(np.zeros((2, 50)))
    assert not test.is_settled
    assert test.more_studies() is None


def test_two_equal_entries_are_called_different_in_at_most_five_percent_of_all_ways() -> None:
    random = np.random.default_rng(3)
    wrong = 0
    for _ in range(400):
        ratios = 0.2 * random.normal(size=(2, 15))
        wrong += any(sequential_test(ratios[:, :k]).is_settled for k in range(2, 16))
    assert wrong <= 400 * ALPHA


def test_a_factor_of_two_on_one_workload_takes_a_few_studies() -> None:
    random = np.random.default_rng(5)
    ratios = math.log(2) + 0.14 * random.normal(size=(1, 12))
    first = next(k for k in range(2, 13) if sequential_test(ratios[:, :k]).is_settled)
    assert 3 <= first <= 6


def test_the_studies_that_are_said_to_be_missing_settle_it_at_the_same_noise() -> None:
    half = np.array([[0.25, -0.05, 0.15, 0.05]])
    more = sequential_test(half).more_studies()
    assert more is not None
    assert 0 < more < 20
    mean, total = half.mean(), half.shape[1] + more
    wave = np.where(np.arange(total) % 2 == 0, 1.0, -1.0)
    wave -= wave.mean()
    noise = wave * half.std(ddof=1) / wave.std(ddof=1)
    assert sequential_test((mean + noise)[None]).is_settled


def test_a_miss_counts_as_the_limit_of_the_pair() -> None:
    ratios = ratios_within(np.array([[10.0, INF]]), np.array([[20.0, 90.0]]), np.array([40.0]))
    assert ratios == pytest.approx(np.log([[2.0, 1.0]]))


def test_held_out_workloads_are_left_out() -> None:
    hit = np.exp(np.random.default_rng(0).normal(size=(2, 2, 4)))
    names = ("a", "b"), ("w", "w_x"), ("1", "2", "3", "4")
    times = Times(*names, hit, hit.copy(), np.full((2, 2), 100.0))
    rules = Rules(base=("w",), held_out={"w_x": "w"})
    alone = Times(names[0], ("w",), names[2], hit[:, :1], hit[:, :1], np.full((2, 1), 100.0))
    one = compare_sequentially(times, "a", "b", rules)
    assert one == compare_sequentially(alone, "a", "b", load_rules())
