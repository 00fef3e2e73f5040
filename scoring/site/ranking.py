"""Ranks that are never finer than the noise: which entries can be distinguished."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scoring.compare import LEVEL
from scoring.draws import draw_medians
from scoring.paired import moments, p_values, ratios_within
from scoring.scoreboard import Scoreboard
from scoring.speedup import Flags, PairLimits
from scoring.times import Array
from scoring.tmodel import TINY

FEW_DRAWS = 400
"""Number of draws for a board with more than `MANY` entries, which has too many pairs for more."""
MANY = 64


@dataclass(frozen=True, eq=False)
class Ranking:
    """For S entries, the pairs in which one is settled to be faster."""

    is_settled: Flags
    """(S, S): whether the row's entry is settled to be faster than the column's, by the
    rule of `harness compare`: in 97.5 % of the draws (of the whole board, whose entries share their
    noise) regardless of the bounds, and by the t-test."""

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
    hits, limit = (a[:, board.base_columns] for a in (board.times.hit, board.times.limit))
    longest = np.where(np.isfinite(hits), hits, 0.0).max(axis=-1)
    for row in range(entries - 1):
        others = slice(row + 1, entries)
        limits = PairLimits(limit[row], limit[others], np.maximum(longest[row], longest[others]))
        wins, losses = _wins(logs, is_reached, row, others, limits)
        ratios = ratios_within(hits[row], hits[others], limits.shared)
        differs = p_values(moments(ratios)) <= 1 - LEVEL
        is_settled[row, others] = differs & (wins >= (1 + LEVEL) / 2)
        is_settled[others, row] = differs & (losses >= (1 + LEVEL) / 2)
    return is_settled


def _wins(
    logs: npt.NDArray[np.float32],
    is_reached: Flags,
    row: int,
    others: slice,
    limits: PairLimits,
) -> tuple[Array, Array]:
    """The fractions of draws in which an entry is faster and slower than others, regardless of
    bounds.

    As `scoring.speedup.compare_pair` for single pairs, but logarithms are computed only once.
    """
    mine, theirs = is_reached[:, row, None], is_reached[:, others]
    own, other = logs[:, row, None], logs[:, others]
    longest = _logs_of(limits.longest)
    end_own, end_other = (
        _end(limits.own, longest, other, theirs),
        _end(limits.other, longest, own, mine),
    )
    at_least = mine & ~theirs & (end_other >= own)
    at_most = theirs & ~mine & (end_own >= other)
    is_known = (mine & theirs) | at_least | at_most
    difference = np.where(theirs, other, end_other) - np.where(mine, own, end_own)
    factor = np.where(is_known, difference, 0).mean(axis=-1)
    wins = ((factor > 0) & ~at_most.any(axis=-1)).mean(axis=0)
    return wins, ((factor < 0) & ~at_least.any(axis=-1)).mean(axis=0)


def _end(
    limit: Array, longest: npt.NDArray[np.float32], rival: npt.NDArray[np.float32], is_there: Flags
) -> npt.NDArray[np.float32]:
    """The log end of a miss, as in `scoring.speedup`."""
    unknown = np.maximum(longest, np.where(is_there, rival, np.float32(-np.inf)))
    return np.where(np.isfinite(limit), _logs_of(limit), unknown)


def _logs_of(limit: Array) -> npt.NDArray[np.float32]:
    return np.log(np.maximum(limit, TINY)).astype(np.float32)
