"""Ranks that are never finer than the noise: which entries can be distinguished."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scoring.compare import LEVEL
from scoring.draws import draw_medians
from scoring.paired import moments, p_values, ratios_within
from scoring.scoreboard import Scoreboard
from scoring.speedup import Flags
from scoring.times import Array
from scoring.tmodel import TINY

FEW_DRAWS = 400
"""Number of draws for a board with more than `MANY` entries, which has too many pairs for more."""
MANY = 64


@dataclass(frozen=True, eq=False)
class Ranking:
    """For S entries, the pairs in which one is settled to be faster."""

    is_settled: Flags
    """(S, S): whether the row's entry is settled to be faster than the column's, as by `harness
    compare`: in 97.5 % of the draws regardless of the bounds, and by the t-test."""

    @property
    def ranks(self) -> npt.NDArray[np.int64]:
        """(S,): one plus the number of entries settled to be faster; ranks can be shared."""
        return np.asarray(1 + self.is_settled.sum(axis=0), dtype=np.int64)

    def order(self, board: Scoreboard) -> list[int]:
        """Rows by rank, then score, then name."""
        ranks = self.ranks
        return sorted(range(len(ranks)), key=lambda row: (ranks[row], -board.scores[row], row))


def rank_entries(board: Scoreboard, draws: int = 2000, seed: int = 0) -> Ranking | None:
    """The ranking of a scoreboard; None for a screening, whose noise is unknown."""
    if board.is_screening:
        return None
    count = draws if len(board.scores) <= MANY else min(draws, FEW_DRAWS)
    sample = draw_medians(board.times, board.rules, count, seed)
    medians = np.concatenate([chunk[..., board.base_columns] for chunk in sample.chunks])
    return Ranking(_settle_pairs(board, medians.astype(np.float32)))


def _settle_pairs(board: Scoreboard, medians: npt.NDArray[np.float32]) -> Flags:
    """The settled pairs of entries, from draws of medians (R, S, B)."""
    entries = medians.shape[1]
    is_reached = np.isfinite(medians)
    logs = np.log(np.where(is_reached, np.maximum(medians, TINY), 1.0), dtype=np.float32)
    is_settled = np.zeros((entries, entries), dtype=np.bool_)
    own_limit, longest = _ends(board)
    for row in range(entries - 1):
        others = slice(row + 1, entries)
        limit = np.minimum(own_limit[row], own_limit[others])
        limit = np.where(np.isfinite(limit), limit, np.maximum(longest[row], longest[others]))
        limits = np.log(np.maximum(limit, TINY)).astype(np.float32)
        wins, losses = _wins(logs, is_reached, row, others, limits)
        hits = board.times.hit[:, board.base_columns]
        ratios = ratios_within(hits[row], hits[others], limit)
        differs = p_values(moments(ratios)) <= 1 - LEVEL
        is_settled[row, others] = differs & (wins >= (1 + LEVEL) / 2)
        is_settled[others, row] = differs & (losses >= (1 + LEVEL) / 2)
    return is_settled


def _ends(board: Scoreboard) -> tuple[Array, Array]:
    """Limit and longest hit of each entry and base workload, which `pair_limit` combines."""
    hit = board.times.hit[:, board.base_columns]
    longest = np.where(np.isfinite(hit), hit, 0.0).max(axis=-1)
    return board.times.limit[:, board.base_columns], longest


def _wins(
    logs: npt.NDArray[np.float32],
    is_reached: Flags,
    row: int,
    others: slice,
    limits: npt.NDArray[np.float32],
) -> tuple[Array, Array]:
    """The fractions of draws in which an entry is faster and slower than others, regardless of
    bounds.

    As `scoring.speedup.compare_pair` for single pairs, but logarithms are computed only once.
    """
    mine, theirs = is_reached[:, row, None], is_reached[:, others]
    low = np.float32(-np.inf)
    own = np.where(mine, logs[:, row, None], low)
    other = np.where(theirs, logs[:, others], low)
    at_own = np.where(mine, own, np.maximum(limits, other))
    at_other = np.where(theirs, other, np.maximum(limits, own))
    factor = np.where(mine | theirs, at_other - at_own, 0).mean(axis=-1)
    at_least, at_most = (mine & ~theirs).any(axis=-1), (theirs & ~mine).any(axis=-1)
    wins = ((factor > 0) & ~at_most).mean(axis=0)
    return wins, ((factor < 0) & ~at_least).mean(axis=0)
