from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from scoring.clock import CLOCKS
from scoring.draws import draw_medians
from scoring.evaluate import score_results
from scoring.frame import prepare
from scoring.rules import load_rules
from scoring.studies import study_table
from scoring.uncertainty import assess, rank_fractions

from .made_frames import frame, row

TIMES = {("muon", "mlp"): [10.0, 11.0, 12.0], ("adamw", "mlp"): [21.0, 22.0, 23.5]}


def test_the_best_trial_of_a_study_stands_for_it() -> None:
    rows = [row("muon", "mlp", 1, time_s, trial=trial) for trial, time_s in ((1, 9.0), (2, 7.0))]
    table = study_table(prepare(pd.DataFrame(rows)), CLOCKS["seconds"])
    assert table["time_to_target_s"].tolist() == [7.0]
    assert table["record"].tolist() == [rows[1]["record"]]


@pytest.mark.parametrize("state", ["invalid", "crashed", "budget"])
def test_only_a_trial_that_reached_has_a_time(state: str) -> None:
    trial = row("muon", "mlp", 1, 9.0, state=state)
    table = study_table(prepare(pd.DataFrame([trial])), CLOCKS["steps"])
    assert np.isinf(table["step_at_target"]).all()


def test_scores_are_those_of_median_ratios() -> None:
    board = score_results(frame(TIMES))
    assert board.times.submissions == ("adamw", "muon")
    assert board.scores.tolist() == pytest.approx([2 / 3, 1.0])
    assert board.medians[:, 0].tolist() == [22.0, 11.0]


def test_the_range_spans_the_ends_of_the_intervals() -> None:
    board = score_results(frame(TIMES))
    # adamw's time over the best is 22 / 11; 0.95 of it at its own last miss, 1 / 0.95 at muon's.
    expected = [(4 - 2 / 0.95) / 3, (4 - 2 * 0.95) / 3]
    assert board.ranges[0].tolist() == pytest.approx(expected)
    assert (board.ranges[:, 0] <= board.scores).all()
    assert (board.ranges[:, 1] >= board.scores).all()


def test_one_study_is_a_screening_without_intervals_or_ranks() -> None:
    board = score_results(frame({("muon", "mlp"): [10.0], ("adamw", "mlp"): [20.0]}))
    assert board.is_screening
    assert assess(board, "adamw") is None


def test_a_held_out_variant_takes_its_base_along() -> None:
    missed = frame({("muon", "mlp"): [np.inf] * 3}, variant="wide")
    reached = frame({("adamw", "mlp"): [30.0] * 3}, variant="wide")
    board = score_results(pd.concat([frame(TIMES), missed, reached]))
    assert board.base == ("mlp",)
    assert board.scores.tolist() == [1.0, 0.0]


def test_the_speedup_over_the_reference_counts_the_noise_of_both() -> None:
    sure = assess(score_results(frame(TIMES)), "adamw", draws=500)
    assert sure is not None
    muon = sure.speedups[1]
    assert muon is not None
    low, _, high = muon.comparison.interval()
    assert muon.factor.overall == pytest.approx(2.0)
    assert low < 2.0 < high
    assert sure.to_json(score_results(frame(TIMES)))["speedups"]["muon"]["reference"] == "adamw"


def test_equal_scores_share_the_better_rank() -> None:
    fractions = rank_fractions(np.array([[0.5, 0.5, 0.1], [0.2, 0.5, 0.1]]))
    assert fractions.tolist() == [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]


def test_the_order_of_trials_does_not_matter() -> None:
    trials = frame(TIMES)
    mixed = trials.sample(frac=1, random_state=3)
    assert score_results(trials).to_json() == score_results(mixed).to_json()


def cross(times: list[float]) -> pd.DataFrame:
    """Trials whose time lies between a miss 1 % before and a hit 1 % after it."""
    one = frame({("adamw", "mlp"): times, ("muon", "mlp"): [time_s / 2 for time_s in times]})
    time_s = one["time_to_target_s"]
    return one.assign(last_miss_s=0.99 * time_s, hit_s=1.01 * time_s)


def test_our_rules_take_the_crossing_and_algoperfs_the_hit() -> None:
    results = cross([20.0, 22.0, 24.0])
    own = score_results(results)
    theirs = score_results(results, load_rules().model_copy(update={"time": "hit"}))
    assert own.medians[:, 0].tolist() == [22.0, 11.0]
    assert theirs.medians[:, 0].tolist() == pytest.approx([22.22, 11.11])


def test_the_range_reaches_from_the_last_miss_to_the_hit() -> None:
    board = score_results(cross([20.0, 22.0, 24.0]))
    low, high = board.ranges[0]
    assert low == pytest.approx((4 - 2 * 1.01 / 0.99) / 3)
    assert high == pytest.approx((4 - 2 * 0.99 / 1.01) / 3)


@pytest.mark.parametrize("studies", [3, 5])
def test_draws_take_each_time_anywhere_in_its_interval(studies: int) -> None:
    board = score_results(cross([20.0] * studies))
    drawn = np.concatenate(list(draw_medians(board.times, board.rules, 400, 0).chunks))
    times = drawn[:, board.times.index("adamw"), 0]
    assert len(np.unique(times)) > 1
    assert np.median(times) == pytest.approx(20.0, rel=0.01)
    exact = replace(board.times, miss=board.times.hit, first_hit=None)
    alone = np.concatenate(list(draw_medians(exact, board.rules, 400, 0).chunks))
    assert np.ptp(alone[:, board.times.index("adamw"), 0]) < np.ptp(times)
