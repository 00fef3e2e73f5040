"""Properties of scores on random tables."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from scoring.evaluate import score_table
from scoring.rules import Rules, load_rules
from scoring.scoreboard import Scoreboard
from scoring.speedup import factor, pair_limits, reference_rows

RULES = Rules(base=("w0", "w1"), held_out={"w0_x": "w0"})
OWN = load_rules()
WORKLOADS = ("w0", "w1", "w0_x")
ALLOWED = ["missing-studies", "missing-workloads", "impossible-times"]
COLUMNS = ["submission", "workload", "study", "time_to_target_s"]

a_time = st.one_of(st.floats(0.0, 100.0), st.just(np.inf), st.just(np.nan), st.sampled_from([1, 2]))
a_seed = st.integers(0, 2**32 - 1)


def table_of(values: np.ndarray, first: int = 0) -> pd.DataFrame:
    """Times (S, W, K) as a table."""
    rows = [
        (f"s{s + first}", WORKLOADS[w], f"study_{k}", float(values[s, w, k]))
        for s, w, k in np.ndindex(values.shape)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


@st.composite
def times(draw: st.DrawFn, workloads: int = 3) -> np.ndarray:
    shape = (draw(st.integers(1, 4)), workloads, draw(st.integers(1, 4)))
    cells = draw(st.lists(a_time, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    return np.array(cells, dtype=float).reshape(shape)


def scores(table: pd.DataFrame, rules: Rules = RULES) -> dict[str, float]:
    board = score_table(table, rules, allowed_rules=ALLOWED)
    return dict(zip(board.times.submissions, board.scores.tolist(), strict=True))


@given(times(), a_seed, st.sampled_from([RULES, OWN]))
def test_the_order_of_rows_does_not_matter(values: np.ndarray, seed: int, rules: Rules) -> None:
    table = table_of(values)
    order = np.random.default_rng(seed).permutation(len(table))
    assert scores(table, rules) == scores(table.iloc[order], rules)


@given(times(), st.sampled_from([RULES, OWN]))
def test_duplicate_rows_do_not_matter(values: np.ndarray, rules: Rules) -> None:
    table = table_of(values)
    assert scores(table, rules) == scores(pd.concat([table, table.iloc[::2]]), rules)


@given(times(), st.floats(0.01, 1.0), st.sampled_from([RULES, OWN]))
def test_a_uniformly_faster_submission_never_scores_lower(
    values: np.ndarray, factor: float, rules: Rules
) -> None:
    faster = values.copy()
    faster[0] *= factor
    before, after = scores(table_of(values), rules), scores(table_of(faster), rules)
    assert after["s0"] >= before["s0"] - 1e-12


@given(times(), st.sampled_from([RULES, OWN]))
def test_scores_lie_between_zero_and_one(values: np.ndarray, rules: Rules) -> None:
    assert all(0 <= score <= 1 + 1e-12 for score in scores(table_of(values), rules).values())


@given(times())
def test_a_single_entrant_scores_the_fraction_of_workloads_it_reached(values: np.ndarray) -> None:
    alone = score_table(table_of(values[:1]), RULES, allowed_rules=ALLOWED)
    fraction = np.isfinite(alone.base_times).mean()
    assert abs(alone.scores[0] - fraction) < 1e-12


@given(times(workloads=1))
def test_one_workload_gives_the_best_entry_one(values: np.ndarray) -> None:
    by_name = scores(table_of(values), Rules(base=("w0",)))
    best = max(by_name.values())
    assert best in (0.0,) or abs(best - 1) < 1e-12


@given(st.integers(1, 4), st.integers(1, 3))
def test_all_infinite_is_zero_for_all(entries: int, studies: int) -> None:
    by_name = scores(table_of(np.full((entries, 3, studies), np.inf)))
    assert set(by_name.values()) == {0.0}


@given(st.floats(0.5, 50.0), st.integers(2, 4))
def test_ties_score_alike(time_s: float, entries: int) -> None:
    by_name = scores(table_of(np.full((entries, 3, 2), time_s)), OWN)
    assert set(by_name.values()) == {1.0}


def speedups(board: Scoreboard) -> dict[str, float]:
    """Each entry's factor over `s0`."""
    columns = board.base_columns
    return {
        name: factor(
            board.medians[row, columns],
            board.medians[0, columns],
            pair_limits(board.times, row, 0).take(columns),
        ).overall
        for row, name in enumerate(board.times.submissions)
    }


@given(times(), st.floats(1.0, 3.0))
def test_a_slower_entrant_moves_no_speedup_over_the_frozen_reference(
    values: np.ndarray, slowness: float
) -> None:
    slower = values[:1] * (1 + slowness)
    before = speedups(score_table(table_of(values), OWN, allowed_rules=ALLOWED))
    after = speedups(
        score_table(table_of(np.concatenate([values, slower])), OWN, allowed_rules=ALLOWED)
    )
    assert {name: after[name] for name in before} == before


def test_the_reference_is_taken_in_the_entrys_own_framework() -> None:
    names = ("adamw (one)", "adamw (two)", "muon (two)", "muon (three)")
    assert reference_rows(names, "adamw") == [0, 1, 1, None]
    assert reference_rows(("adamw", "muon"), "sgd") == [None, None]
