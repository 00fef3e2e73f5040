"""Uncertainty of a scoreboard: intervals, rank distributions, pairs and speed-ups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.draws import METHODS, draw_medians
from scoring.pairs import PairTable, pair_table
from scoring.profile import score_medians
from scoring.scoreboard import Scoreboard
from scoring.speedup import (
    Factor,
    PairwiseComparison,
    compare_pair,
    concatenate,
    factor,
    pair_limits,
    reference_rows,
    stack_limits,
)
from scoring.times import Array

LEVEL = 0.90
MOST_PAIRED = 64
"""Maximum number of entries for which all pairs are compared; see `harness compare` beyond."""


@dataclass(frozen=True, eq=False)
class Speedup:
    """An entry against the reference: the factor of the median times, and its uncertainty."""

    reference: str
    factor: Factor
    comparison: PairwiseComparison


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Uncertainty of S entries, computed from draws."""

    method: str
    draws: int
    score_intervals: Array
    """(S, 2): intervals, corrected for the bias of draws, since the best of noisy times looks
    better than it is. They describe the draws: their coverage is below their level."""
    rank_fractions: Array
    """(S, S): the fraction of draws in which each entry (row) has each rank (column, from 1); ties
    get the better rank."""
    speedups: tuple[Speedup | None, ...]
    pairs: PairTable | None

    def to_json(self, board: Scoreboard) -> dict[str, Any]:
        """All results, by name."""
        names = board.times.submissions
        return {
            "method": METHODS[self.method],
            "draws": self.draws,
            "level": LEVEL,
            "score_intervals": dict(zip(names, self.score_intervals.tolist(), strict=True)),
            "rank_fractions": dict(zip(names, self.rank_fractions.tolist(), strict=True)),
            "speedups": {
                name: _speedup_json(board, item)
                for name, item in zip(names, self.speedups, strict=True)
                if item is not None
            },
            "pairs": self.pairs.to_json(names) if self.pairs else None,
        }


def _speedup_json(board: Scoreboard, item: Speedup) -> dict[str, object]:
    low, _, high = item.comparison.interval(LEVEL)
    return {
        "reference": item.reference,
        "factor": item.factor.overall,
        "interval": [low, high],
        "mark": item.factor.mark,
        "interval_mark": item.comparison.mark,
        "probability_faster": item.comparison.probability,
        "undecided": item.comparison.undecided_fraction,
        "undecided_workloads": item.factor.undecided_workloads,
        "by_workload": dict(zip(board.base, item.factor.by_workload.tolist(), strict=True)),
        "marks": dict(zip(board.base, item.factor.marks, strict=True)),
    }


def assess(
    board: Scoreboard, reference: str | None = None, draws: int = 2000, seed: int = 0
) -> Uncertainty | None:
    """Compute the uncertainty from draws of median times; None for a screening of one study.

    Args:
        board: scores and study times of all entries.
        reference: the frozen reference submission; None for no speed-ups.
        draws: number of resamples, or of draws from the model.
        seed: seed of the draws.
    """
    if board.is_screening:
        return None
    sample = draw_medians(board.times, board.rules, draws, seed)
    collector = _Collector(board, reference, sample.spread)
    for chunk in sample.chunks:
        collector.add(chunk)
    return collector.finish(sample.method, sample.centre)


class _Collector:
    """Collects scores and speed-ups from chunks of draws, without keeping the draws."""

    def __init__(self, board: Scoreboard, reference: str | None, spread: float) -> None:
        self.board = board
        self.spread = spread
        names = board.times.submissions
        self.columns = board.base_columns
        references = reference_rows(names, reference) if reference else [None] * len(names)
        self.reference_pairs = [
            (row, other) for row, other in enumerate(references) if other is not None
        ]
        self.limits = [
            pair_limits(board.times, *pair).take(self.columns) for pair in self.reference_pairs
        ]
        self.stacked_limits = stack_limits(self.limits)
        self.keeps = len(names) <= MOST_PAIRED
        self.scores: list[Array] = []
        self.medians: list[Array] = []
        self.comparisons: list[PairwiseComparison] = []

    def add(self, medians: Array) -> None:
        board = self.board
        self.scores.append(score_medians(medians, board.times.workloads, board.rules))
        own = medians[..., self.columns]
        if self.keeps:
            self.medians.append(own)
        if self.reference_pairs:
            mine, theirs = (own[:, list(rows)] for rows in zip(*self.reference_pairs, strict=True))
            self.comparisons.append(compare_pair(mine, theirs, self.stacked_limits, self.spread))

    def finish(self, method: str, centre: Array) -> Uncertainty:
        scores = np.concatenate(self.scores)
        pairs = None
        if self.keeps:
            medians = np.concatenate(self.medians)
            pairs = pair_table(self.board.times, medians, self.columns, self.spread)
        board = self.board
        intervals = unbiased_interval(
            scores, score_medians(centre, board.times.workloads, board.rules)
        )
        return Uncertainty(
            method,
            len(scores),
            intervals,
            rank_fractions(scores),
            self._speedups(),
            pairs,
        )

    def _speedups(self) -> tuple[Speedup | None, ...]:
        medians = self.board.medians[:, self.columns]
        names = self.board.times.submissions
        speedups: list[Speedup | None] = [None] * len(names)
        comparison = concatenate(self.comparisons) if self.comparisons else None
        for place, (row, other) in enumerate(self.reference_pairs):
            if comparison is not None:
                point = factor(medians[row], medians[other], self.limits[place])
                speedups[row] = Speedup(names[other], point, comparison.entry(place))
        return tuple(speedups)


def interval(draws: Array) -> Array:
    """The central interval of draws (R, S) at `LEVEL`: (S, 2)."""
    tail = (1 - LEVEL) / 2
    return np.asarray(np.quantile(draws, [tail, 1 - tail], axis=0).T)


def unbiased_interval(scores: Array, centre: Array) -> Array:
    """The interval of drawn scores (R, S), shifted so that their mean is the observed score.

    The best time of a column, by which all times are divided, is too short on average in the draws,
    so drawn scores are too low, by about as much as the observed scores themselves are.
    """
    return np.clip(interval(scores - (scores.mean(axis=0) - centre)), 0.0, 1.0)


def rank_fractions(scores: Array) -> Array:
    """The frequency of each rank for each entry, from scores (R, S); equal scores get the better
    rank.
    """
    entries = scores.shape[1]
    counts = np.zeros((entries, entries))
    for row in scores:
        # The rank is one plus the number of higher scores.
        ranks = entries - np.searchsorted(np.sort(row), row, side="right")
        counts[np.arange(entries), ranks] += 1
    return counts / max(1, len(scores))
