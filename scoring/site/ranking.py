"""Ranks that are never finer than the noise: which entries can be distinguished."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scoring.compare import LEVEL
from scoring.draws import draw_medians
from scoring.paired import moments, p_values, ratios_within
from scoring.scoreboard import Scoreboard
from scoring.speedup import Flags, PairLimits, factors_of_logs, logs_of

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
    logs = logs_of(medians)
    is_settled = np.zeros((entries, entries), dtype=np.bool_)
    hits, limit = (a[:, board.base_columns] for a in (board.times.hit, board.times.limit))
    longest = np.where(np.isfinite(hits), hits, 0.0).max(axis=-1)
    for row in range(entries - 1):
        others = slice(row + 1, entries)
        limits = PairLimits(limit[row], limit[others], np.maximum(longest[row], longest[others]))
        factors = factors_of_logs(logs[:, row, None], logs[:, others], limits)
        means = factors.logs.mean(axis=-1)
        wins = ((means > 0) & ~factors.at_most.any(axis=-1)).mean(axis=0)
        losses = ((means < 0) & ~factors.at_least.any(axis=-1)).mean(axis=0)
        ratios = ratios_within(hits[row], hits[others], limits.shared)
        differs = p_values(moments(ratios)) <= 1 - LEVEL
        is_settled[row, others] = differs & (wins >= (1 + LEVEL) / 2)
        is_settled[others, row] = differs & (losses >= (1 + LEVEL) / 2)
    return is_settled
