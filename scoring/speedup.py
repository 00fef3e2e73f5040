"""Speed-up of one entry over another, with censoring shown explicitly.

The factor on a workload is the other entry's time over this entry's. If only one of the two reached
the target, the other's time is set to the limit of its trials and the factor is a bound. If neither
did, nothing is known: the factor is 1 and the workload counts as undecided. The overall factor is
the geometric mean over workloads.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.core.errors import UnknownNameError
from scoring.times import Array, Times
from scoring.tmodel import TINY

Flags = npt.NDArray[np.bool_]
REFERENCE = "adamw"
"""The submission that speed-ups are measured against unless another is named."""


def pair_limit(times: Times, own: int, other: int) -> Array:
    """The minimum time assigned to an entry of a pair that did not reach the target, (W,).

    The limit of the trials if known, else the longer of the two entries' longest times, so it does
    not depend on other entries.
    """
    hits = times.hit[[own, other]]
    longest = np.where(np.isfinite(hits), hits, 0.0).max(axis=(0, 2))
    limit = times.limit[[own, other]].min(axis=0)
    return np.asarray(np.where(np.isfinite(limit), limit, longest))


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

    While draws are being collected it holds several pairs, with arrays (R, pairs).
    """

    logs: Array
    """(R,): the log of the factor, including bounds."""
    at_least: Flags
    """(R,): whether some workload's factor is a lower bound, as only this entry reached."""
    at_most: Flags
    """(R,): whether some workload's factor is an upper bound."""
    spread: float = 1.0
    """Spread of the draws relative to the actual uncertainty (`Draws.spread`)."""

    @property
    def wins(self) -> float:
        """Fraction of draws in which this entry is faster regardless of the bounds."""
        return float(((self.logs > 0) & ~self.at_most).mean())

    @property
    def losses(self) -> float:
        """Fraction of draws in which it is slower regardless of the bounds."""
        return float(((self.logs < 0) & ~self.at_least).mean())

    @property
    def probability(self) -> float:
        """Probability that this entry is faster: its wins plus half of the undecided draws."""
        return self.wins + (1 - self.wins - self.losses) / 2

    @property
    def undecided_fraction(self) -> float:
        """Fraction of draws that are tied, or that censoring leaves undecided."""
        return max(0.0, 1 - self.wins - self.losses)

    @property
    def mark(self) -> str:
        """Mark for the kinds of bounds in more than 5 % of the draws (`overall_mark`)."""
        return overall_mark(bool(self.at_least.mean() > 0.05), bool(self.at_most.mean() > 0.05))

    def interval(self, level: float = 0.90) -> tuple[float, float, float]:
        """Low end, median and high end of the factor, with censored times set to the limit.

        `mark` tells what this hides: with '>=' the high end is not a bound, with '<=' the low end
        is not.
        """
        tail = (1 - level) / 2
        ends = np.quantile(self.logs, [tail, 0.5, 1 - tail])
        low, middle, high = np.exp(ends[1] + (ends - ends[1]) / self.spread).tolist()
        return low, middle, high

    def entry(self, place: int) -> PairwiseComparison:
        """The comparison of one of several pairs."""
        at_least, at_most = self.at_least[:, place], self.at_most[:, place]
        return PairwiseComparison(self.logs[:, place], at_least, at_most, self.spread)

    def swap(self) -> PairwiseComparison:
        """The same comparison from the other entry's side."""
        return PairwiseComparison(-self.logs, self.at_most, self.at_least, self.spread)


def compare_pair(own: Array, other: Array, limit: Array, spread: float = 1.0) -> PairwiseComparison:
    """Compare entries by drawn median times (R, W), or several pairs by (R, pairs, W).

    `spread` is that of a single workload's median. On one workload the draws take few values and
    their quantiles need no correction; the excess spread appears in means over several.
    """
    mine, theirs = np.isfinite(own), np.isfinite(other)
    return PairwiseComparison(
        log_factors(own, other, limit).mean(axis=-1),
        np.asarray((mine & ~theirs).any(axis=-1)),
        np.asarray((~mine & theirs).any(axis=-1)),
        1 + (spread - 1) * (1 - 1 / max(1, own.shape[-1])),
    )


def concatenate(comparisons: list[PairwiseComparison]) -> PairwiseComparison:
    """Concatenate the comparisons of several chunks of draws."""
    return PairwiseComparison(
        np.concatenate([part.logs for part in comparisons]),
        np.concatenate([part.at_least for part in comparisons]),
        np.concatenate([part.at_most for part in comparisons]),
        comparisons[0].spread,
    )


@dataclass(frozen=True, eq=False)
class Factor:
    """The speed-up on each workload and overall, with marks for bounds."""

    by_workload: Array
    """(W,): the speed-up on each workload."""
    marks: tuple[str, ...]
    """For each workload: '' exact, '>=' or '<=' a bound, '?' neither reached."""
    overall: float

    @property
    def undecided_workloads(self) -> int:
        """Number of workloads that neither entry reached."""
        return self.marks.count("?")

    @property
    def mark(self) -> str:
        """Mark of the overall factor: '' exact, '>=', '<=', or '~' for bounds of both kinds."""
        return overall_mark(">=" in self.marks, "<=" in self.marks)


def overall_mark(at_least: bool, at_most: bool) -> str:
    """The mark of a mean of factors, some of which are bounds."""
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
    """The row of each entry's reference, in the entry's own framework.

    If entries are labelled with their framework, as in `muon (torch)`, so is the reference.
    """
    rows: list[int | None] = []
    for name in submissions:
        suffix = name[name.rindex(" (") :] if name.endswith(")") and " (" in name else ""
        label = reference if reference in submissions else reference + suffix
        rows.append(submissions.index(label) if label in submissions else None)
    return rows


def check_reference(reference: str, submissions: Collection[str]) -> None:
    """Check that the reference is among the entries; the default one may be missing.

    Args:
        reference: the name given by the user.
        submissions: the entries by name, with or without their framework.

    Raises:
        UnknownNameError: it is not.
    """
    names = tuple(submissions)
    if reference != REFERENCE and set(reference_rows(names, reference)) <= {None}:
        raise UnknownNameError("reference", reference, names)
