"""How many times sooner one entry reaches the target than another, with censoring in the open.

The factor on a workload is the other's time over the own. Where only one of the two reached the
target, the time of the one that did not is put at the limit it ran to, and the factor is a bound.
Where neither did, nothing is known: the factor is 1 and the workload counts as undecided.
The factor over workloads is their geometric mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scoring.times import Array, Times
from scoring.tmodel import TINY

Flags = npt.NDArray[np.bool_]


def pair_limit(times: Times, own: int, other: int) -> Array:
    """Where an entry of a pair that did not reach is put, at the least; (W,).

    The limit of its trials where known, else the longest time that one of the two needed; so it
    depends on no third entry.
    """
    hits = times.hit[[own, other]]
    longest = np.where(np.isfinite(hits), hits, 0.0).max(axis=(0, 2))
    known = times.limit[[own, other]].min(axis=0)
    return np.asarray(np.where(np.isfinite(known), known, longest))


def log_factors(own: Array, other: Array, limit: Array) -> Array:
    """log(other / own) on each workload, from median times (..., W); finite everywhere."""
    reached_own, reached_other = np.isfinite(own), np.isfinite(other)
    at_limit_own = np.where(reached_own, own, np.maximum(limit, np.where(reached_other, other, 0)))
    at_limit_other = np.where(
        reached_other, other, np.maximum(limit, np.where(reached_own, own, 0))
    )
    logs = np.log(np.maximum(at_limit_other, TINY)) - np.log(np.maximum(at_limit_own, TINY))
    return np.where(reached_own | reached_other, logs, 0.0)


@dataclass(frozen=True, eq=False)
class PairwiseComparison:
    """One entry against another in R draws, over all workloads.

    While draws are collected, several pairs at once: every array is (R, pairs).
    """

    logs: Array
    """(R,): the log of the factor, bounds included."""
    at_least: Flags
    """(R,): whether a workload's factor is a lower bound, because only the own entry reached."""
    at_most: Flags
    """(R,): whether one is an upper bound."""
    spread: float = 1.0
    """How many times wider the draws lie than the truth is uncertain (`Draws.spread`)."""

    @property
    def wins(self) -> float:
        """The share of draws in which the own entry is faster whatever the bounds hide."""
        return float(((self.logs > 0) & ~self.at_most).mean())

    @property
    def losses(self) -> float:
        """The share of draws in which it is slower whatever the bounds hide."""
        return float(((self.logs < 0) & ~self.at_least).mean())

    @property
    def probability(self) -> float:
        """That the own entry is faster: its wins and half of what is tied or hidden."""
        return self.wins + (1 - self.wins - self.losses) / 2

    @property
    def hidden(self) -> float:
        """The share of draws that are tied, or that censoring leaves undecided."""
        return max(0.0, 1 - self.wins - self.losses)

    @property
    def mark(self) -> str:
        """Which kinds of bounds more than 5 % of the draws contain (`overall_mark`)."""
        return overall_mark(bool(self.at_least.mean() > 0.05), bool(self.at_most.mean() > 0.05))

    def interval(self, level: float = 0.90) -> tuple[float, float, float]:
        """Low end, middle and high end of the factor, what did not reach put at its limit.

        `mark` says what this hides: with '>=' the high end is no bound, with '<=' the low end.
        """
        tail = (1 - level) / 2
        ends = np.quantile(self.logs, [tail, 0.5, 1 - tail])
        low, middle, high = np.exp(ends[1] + (ends - ends[1]) / self.spread).tolist()
        return low, middle, high

    def entry(self, place: int) -> PairwiseComparison:
        """One of several pairs."""
        at_least, at_most = self.at_least[:, place], self.at_most[:, place]
        return PairwiseComparison(self.logs[:, place], at_least, at_most, self.spread)

    def swapped(self) -> PairwiseComparison:
        """The same seen from the other entry."""
        return PairwiseComparison(-self.logs, self.at_most, self.at_least, self.spread)


def compare_pair(own: Array, other: Array, limit: Array, spread: float = 1.0) -> PairwiseComparison:
    """Entries against each other from drawn median times (R, W), or pairs (R, pairs, W).

    `spread` is that of one workload's median. On one workload the draws take few values, and
    their quantiles are right as they are; the excess shows in means over several.
    """
    mine, theirs = np.isfinite(own), np.isfinite(other)
    return PairwiseComparison(
        log_factors(own, other, limit).mean(axis=-1),
        np.asarray((mine & ~theirs).any(axis=-1)),
        np.asarray((~mine & theirs).any(axis=-1)),
        1 + (spread - 1) * (1 - 1 / max(1, own.shape[-1])),
    )


def joined(comparisons: list[PairwiseComparison]) -> PairwiseComparison:
    """Contests of several chunks of draws as one."""
    return PairwiseComparison(
        np.concatenate([part.logs for part in comparisons]),
        np.concatenate([part.at_least for part in comparisons]),
        np.concatenate([part.at_most for part in comparisons]),
        comparisons[0].spread,
    )


@dataclass(frozen=True, eq=False)
class Factor:
    """A speed-up on each workload and over all, and which of them are bounds."""

    by_workload: Array
    """(W,)"""
    marks: tuple[str, ...]
    """On each workload: '' exact, '>=' or '<=' a bound, '?' neither reached."""
    overall: float

    @property
    def undecided(self) -> int:
        """Workloads that neither reached."""
        return self.marks.count("?")

    @property
    def mark(self) -> str:
        """What the overall factor is: '' exact, '>=', '<=', or '~' with bounds of both kinds."""
        return overall_mark(">=" in self.marks, "<=" in self.marks)


def overall_mark(at_least: bool, at_most: bool) -> str:
    """The mark of a mean of factors some of which are bounds."""
    return "~" if at_least and at_most else ">=" if at_least else "<=" if at_most else ""


def factor(own: Array, other: Array, limit: Array) -> Factor:
    """The speed-up of median times `own` over `other`; each (W,)."""
    logs = log_factors(own, other, limit)
    marks = tuple(
        "" if mine and theirs else ">=" if mine else "<=" if theirs else "?"
        for mine, theirs in zip(np.isfinite(own), np.isfinite(other), strict=True)
    )
    return Factor(np.exp(logs), marks, float(np.exp(logs.mean())) if logs.size else 1.0)


def reference_rows(submissions: tuple[str, ...], reference: str) -> list[int | None]:
    """The row each entry is measured against: the reference, in the entry's own framework.

    Where entries carry their framework, as in `muon (torch)`, so does the reference.
    """
    rows: list[int | None] = []
    for name in submissions:
        suffix = name[name.rindex(" (") :] if name.endswith(")") and " (" in name else ""
        wanted = reference if reference in submissions else reference + suffix
        rows.append(submissions.index(wanted) if wanted in submissions else None)
    return rows
