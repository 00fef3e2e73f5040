"""The dependence of scores on the pool of entries, and mean ranks over workloads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from scoring.profile import score_medians
from scoring.scoreboard import Scoreboard
from scoring.times import Array


def ranks_of(scores: Array) -> Array:
    """Ranks from 1, the best; equal scores share the better rank."""
    return np.asarray(rankdata(-scores, method="min"))


def pool_sensitivity(board: Scoreboard) -> pd.DataFrame:
    """Scores and ranks of the remaining entries when one is left out.

    Columns: left_out, submission, score, score_without, rank, rank_without. Ranks are among the
    remaining entries, so they differ only if the order changes.
    """
    names = np.array(board.times.submissions)
    rows = []
    for out in range(len(names)):
        stay = np.arange(len(names)) != out
        without = score_medians(board.medians[stay], board.times.workloads, board.rules)
        before, after = ranks_of(board.scores[stay]), ranks_of(without)
        for place, row in enumerate(np.flatnonzero(stay)):
            rows.append(
                {
                    "left_out": names[out], "submission": names[row],
                    "score": board.scores[row], "score_without": without[place],
                    "rank": int(before[place]), "rank_without": int(after[place]),
                }
            )  # fmt: skip
    columns = ["left_out", "submission", "score", "score_without", "rank", "rank_without"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True, eq=False)
class CriticalDifference:
    """Friedman's test and Nemenyi's critical difference over workloads (Demsar 2006)."""

    mean_ranks: Array
    """(S,): an entry's rank by time, averaged over workloads; equal times share the mean rank."""
    difference: float
    """Mean ranks that are further apart than this differ at the 10 % level."""
    p_value: float
    """P-value of Friedman's test of equal entries."""


def critical_difference(board: Scoreboard, level: float = 0.10) -> CriticalDifference | None:
    """Mean ranks with their critical difference; None for fewer than 3 entries or 3 workloads."""
    times = board.medians[:, board.base_columns]
    entries, workloads = times.shape
    if entries < 3 or workloads < 3:
        return None
    ranks = np.apply_along_axis(rankdata, 0, times)
    if (ranks == ranks[0]).all():
        return CriticalDifference(ranks.mean(axis=1), np.inf, 1.0)
    quantile = float(studentized_range.ppf(1 - level, entries, np.inf)) / np.sqrt(2)
    difference = quantile * np.sqrt(entries * (entries + 1) / (6 * workloads))
    p_value = float(friedmanchisquare(*ranks).pvalue)
    return CriticalDifference(ranks.mean(axis=1), float(difference), p_value)
