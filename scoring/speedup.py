"""Speed-up of one entry over another, with censoring shown explicitly.

The factor on a workload is the other entry's time over this entry's. If only one of the two reached
the target, the other's time is set to the limit of its trials and the factor is a bound. If neither
did, or if the other's trials ended before the time at which this one reached it (by another clock
than seconds, on which trials end at different counts), nothing is known: the factor is 1 and the
workload counts as undecided. The overall factor is the geometric mean over workloads.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.core.errors import UnknownNameError
from scoring.times import Array, Times
from scoring.tmodel import TINY

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating[Any]]
REFERENCE = "adamw"
"""The submission that speed-ups are measured against unless another is named."""


@dataclass(frozen=True, eq=False)
class PairLimits:
    """How far the trials of two entries went that did not reach the target; it does not depend on
    other entries. Each array is (W,), or (pairs, W) for several pairs.
    """

    own: Array
    """Of this entry; infinite if unknown."""
    other: Array
    """Of the other one."""
    longest: Array
    """The longest time to target of the two; a miss of unknown length counts as at least that."""

    @property
    def shared(self) -> Array:
        """The limit that cuts the times of both entries alike."""
        limit = np.minimum(self.own, self.other)
        return np.asarray(np.where(np.isfinite(limit), limit, self.longest))

    def take(self, columns: Sequence[int]) -> PairLimits:
        """The limits on these workloads."""
        wanted = list(columns)
        return PairLimits(self.own[..., wanted], self.other[..., wanted], self.longest[..., wanted])


def pair_limits(times: Times, own: int, other: int) -> PairLimits:
    """The limits of two entries, given by their rows."""
    hits = times.hit[[own, other]]
    longest = np.where(np.isfinite(hits), hits, 0.0).max(axis=(0, 2))
    return PairLimits(times.limit[own], times.limit[other], longest)


def stack_limits(limits: Sequence[PairLimits]) -> PairLimits:
    """The limits of several pairs, (pairs, W)."""
    return PairLimits(
        np.array([one.own for one in limits]),
        np.array([one.other for one in limits]),
        np.array([one.longest for one in limits]),
    )


@dataclass(frozen=True, eq=False)
class LogFactors:
    """log(other / own) on each workload from median times, and what bounds it; each (..., W)."""

    logs: Floats
    """Finite everywhere; 0 where nothing is known."""
    at_least: Flags
    """Whether it is a lower bound, as only this entry reached the target."""
    at_most: Flags
    """Whether it is an upper bound, as only the other one did."""
    is_unknown: Flags
    """Whether neither reached it, or a miss ended too early to tell."""


def log_factors(own: Array, other: Array, limits: PairLimits) -> LogFactors:
    """The factors of median times `own` over `other`, (..., W)."""
    return factors_of_logs(logs_of(own), logs_of(other), limits)


def factors_of_logs(own: Floats, other: Floats, limits: PairLimits) -> LogFactors:
    """The same from logs of times (`logs_of`), of which a board computes each only once."""
    mine, theirs = np.isfinite(own), np.isfinite(other)
    end_own = _end_of_miss(limits.own, limits.longest, other)
    end_other = _end_of_miss(limits.other, limits.longest, own)
    at_least, at_most = mine & ~theirs & (end_other >= own), theirs & ~mine & (end_own >= other)
    is_known = (mine & theirs) | at_least | at_most
    own, other = np.where(mine, own, end_own), np.where(theirs, other, end_other)
    logs = np.where(is_known, other, 0.0) - np.where(is_known, own, 0.0)
    return LogFactors(logs, at_least, at_most, ~is_known)


def logs_of(times: Floats) -> Floats:
    """The logs of times, in their own precision; infinite where they are."""
    return np.asarray(np.log(np.maximum(times, TINY)))


def _end_of_miss(limit: Array, longest: Array, rival: Floats) -> Floats:
    """The log of the end of a miss; only at or beyond the rival's time it bounds the factor."""
    unknown = np.maximum(logs_of(longest), np.where(np.isfinite(rival), rival, -np.inf))
    return np.where(np.isfinite(limit), logs_of(limit), unknown).astype(rival.dtype)


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


def compare_pair(
    own: Array, other: Array, limits: PairLimits, spread: float = 1.0
) -> PairwiseComparison:
    """Compare entries by drawn median times (R, W), or several pairs by (R, pairs, W).

    `spread` is that of a single workload's median. On one workload the draws take few values and
    their quantiles need no correction; the excess spread appears in means over several.
    """
    factors = log_factors(own, other, limits)
    return PairwiseComparison(
        np.asarray(factors.logs.mean(axis=-1)),
        np.asarray(factors.at_least.any(axis=-1)),
        np.asarray(factors.at_most.any(axis=-1)),
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
    """For each workload: '' exact, '>=' or '<=' a bound, '?' nothing is known."""
    overall: float

    @property
    def undecided_workloads(self) -> int:
        """Number of workloads on which nothing is known."""
        return self.marks.count("?")

    @property
    def mark(self) -> str:
        """Mark of the overall factor: '' exact, '>=', '<=', or '~' for bounds of both kinds."""
        return overall_mark(">=" in self.marks, "<=" in self.marks)


def overall_mark(at_least: bool, at_most: bool) -> str:
    """The mark of a mean of factors, some of which are bounds."""
    return "~" if at_least and at_most else ">=" if at_least else "<=" if at_most else ""


def factor(own: Array, other: Array, limits: PairLimits) -> Factor:
    """The speed-up of median times `own` over `other`; each (W,)."""
    of = log_factors(own, other, limits)
    marks = tuple(
        "?" if unknown else ">=" if at_least else "<=" if at_most else ""
        for unknown, at_least, at_most in zip(of.is_unknown, of.at_least, of.at_most, strict=True)
    )
    return Factor(np.exp(of.logs), marks, float(np.exp(of.logs.mean())) if of.logs.size else 1.0)


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
