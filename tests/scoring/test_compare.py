import re

import numpy as np
import pandas as pd
import pytest

from harness.core.errors import HarnessError, UnknownNameError
from scoring.compare import Comparison, compare_entries, more_studies
from scoring.evaluate import score_results
from scoring.rules import load_rules
from scoring.speedup import PairLimits, compare_pair, factor
from scoring.times import Times

from .made_frames import frame

INF = np.inf


def compare_times(hit: np.ndarray, limit: float = 100.0) -> Comparison:
    s, w, k = (tuple(f"{axis}{i}" for i in range(n)) for axis, n in enumerate(hit.shape))
    times = Times(s, w, k, hit, hit.copy(), np.full(hit.shape[:2], limit))
    return compare_entries(times, "00", "01", load_rules(), draws=500)


def limits(*limit: float) -> PairLimits:
    """The same limit of both entries on each workload."""
    return PairLimits(np.array(limit), np.array(limit), np.zeros(len(limit)))


def noisy(ratio: float, studies: int, noise: float = 0.05) -> np.ndarray:
    random = np.random.default_rng(4)
    times = 20 * np.exp(noise * random.standard_normal((2, 3, studies)))
    times[1] *= ratio
    return times


@pytest.mark.parametrize("studies", [3, 6])
def test_a_clear_difference_is_settled_and_its_interval_holds_the_factor(studies: int) -> None:
    comparison = compare_times(noisy(1.5, studies))
    assert comparison.more_studies == 0
    assert comparison.verdict().startswith("00 is faster than 01")
    assert comparison.overall is not None
    low, _, high = comparison.overall.interval()
    assert low < 1.5 < high


def test_draws_alone_settle_nothing_where_two_studies_tell_little_of_the_noise() -> None:
    comparison = compare_times(
        np.array([[[10.0, 10.0], [10.0, 14.0]], [[18.2, 18.3], [24.6, 19.9]]])
    )
    assert comparison.overall is not None
    assert comparison.overall.wins >= 0.975
    assert comparison.sequential.p_value > 0.05
    assert comparison.more_studies == 1
    assert comparison.verdict().startswith("not settled")


def test_a_verdict_says_whether_it_also_holds_where_studies_were_added() -> None:
    clear, close = compare_times(noisy(2.0, 5)), compare_times(noisy(1.08, 3))
    assert "settled all the same, 1.98" in clear.sequential_verdict()
    assert "not settled" in close.sequential_verdict()
    assert compare_times(noisy(2.0, 1)).sequential_verdict() == ""


def test_a_small_difference_says_how_many_more_studies_would_settle_it() -> None:
    comparison = compare_times(noisy(1.03, 3, noise=0.1))
    assert comparison.more_studies is None or comparison.more_studies > 0
    assert comparison.verdict().startswith("not settled")


def test_more_studies_shrink_the_spread_by_their_root() -> None:
    logs = np.random.default_rng(0).normal(0.1, 0.1, (100_000, 1))
    comparison = compare_pair(np.ones_like(logs), np.exp(logs), limits(9.0))
    assert more_studies(comparison, 4) == pytest.approx(4 * 1.96**2 - 4, abs=1)


def test_one_study_is_a_screening_that_says_what_would_settle_it() -> None:
    comparison = compare_times(noisy(1.1, 1))
    assert comparison.overall is None
    words = r"screening: 00 is 1\.\d+ times as fast as 01 in one study; about \d+ more of each"
    assert re.match(words, comparison.verdict())
    assert "harness run --submission 00 --until-settled 01" in comparison.verdict()


def test_a_screening_in_which_one_did_not_reach_asks_for_a_reached_target() -> None:
    times = noisy(1.5, 1)
    times[1, 0] = INF
    assert "what did not reach the target hides how much" in compare_times(times).verdict()


@pytest.mark.parametrize("studies", [1, 3, 6])
def test_equal_entries_are_no_difference_seen(studies: int) -> None:
    times = noisy(1.0, studies)
    times[1] = times[0]
    assert compare_times(times).verdict().startswith("no difference seen: 00 and 01")


@pytest.mark.parametrize("studies", [1, 3])
def test_entries_that_never_reached_are_not_called_equal(studies: int) -> None:
    assert (
        compare_times(np.full((2, 3, studies), INF)).verdict()
        == "not settled: neither reached a target"
    )


def test_what_only_one_entry_reached_is_a_bound() -> None:
    ratio = factor(np.array([10.0, INF, INF]), np.array([INF, 5.0, INF]), limits(40, 40, 40))
    assert ratio.marks == (">=", "<=", "?")
    assert ratio.by_workload.tolist() == pytest.approx([4.0, 0.125, 1.0])
    assert (ratio.mark, ratio.undecided_workloads) == ("~", 1)


def test_a_miss_that_ended_before_the_rivals_hit_bounds_nothing() -> None:
    dear_steps = PairLimits(np.array([60.0, 60.0]), np.array([700.0, 700.0]), np.array([500.0] * 2))
    ratio = factor(np.array([INF, INF]), np.array([500.0, 50.0]), dear_steps)
    assert ratio.marks == ("?", "<=")
    assert ratio.by_workload.tolist() == pytest.approx([1.0, 50 / 60])


def test_a_bound_is_no_win_against_what_it_hides() -> None:
    hit = noisy(1.3, 3)
    hit[0, 2] = INF
    comparison = compare_times(hit)
    assert comparison.overall is not None
    assert comparison.overall.wins == 0.0


def test_an_unknown_entry_names_the_nearest() -> None:
    times = Times(("muon",), ("w",), ("k",), *(np.ones((1, 1, 1)),) * 2, np.ones((1, 1)))
    with pytest.raises(UnknownNameError, match="did you mean 'muon'"):
        compare_entries(times, "muon", "muno", load_rules())


def test_entries_without_a_common_workload_are_refused_with_the_workloads_of_each() -> None:
    results = frame({("muon", "mlp"): [5.0], ("muon", "rnn"): [5.0], ("soap", "lm"): [6.0]})
    board = score_results(results, allowed_rules=("missing-studies",))
    with pytest.raises(HarnessError, match="both: muon has mlp, rnn; soap has lm"):
        compare_entries(board.times, "muon", "soap", board.rules)


@pytest.mark.parametrize("studies", [3, 5])
def test_by_steps_few_dear_steps_settle_nothing(studies: int) -> None:
    hits = [5.0 + 0.01 * study for study in range(studies)]
    results = frame({("adamw", "w"): hits})
    missed = frame({("muon", "w"): [INF] * studies}, steps=60)
    board = score_results(pd.concat([results, missed]), clock="steps")
    comparison = compare_entries(board.times, "adamw", "muon", board.rules, draws=500)
    assert comparison.factor.marks == ("?",)
    assert comparison.more_studies != 0
    assert not comparison.sequential.is_settled
    few, many = (missed.assign(steps=steps) for steps in (60, 2000))
    assert score_results(pd.concat([results, few]), clock="steps").times.limit[1, 0] == 60
    assert score_results(pd.concat([results, many]), clock="steps").times.limit[1, 0] == 2000


def test_by_examples_a_miss_has_seen_those_of_its_steps() -> None:
    results = pd.concat([frame({("adamw", "w"): [5.0]}), frame({("muon", "w"): [INF]}, steps=60)])
    assert score_results(results, clock="examples").times.limit[1, 0] == 60 * 128
