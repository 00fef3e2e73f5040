"""Compare two entries: which is faster, by how much, how surely, and what would settle it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from harness.core.errors import HarnessError
from scoring.draws import draw_medians
from scoring.paired import ratios_within, scored_columns
from scoring.profile import median_times, settle_missing
from scoring.rules import Rules
from scoring.screening import NOISE
from scoring.sequential import SequentialTest, sequential_test
from scoring.speedup import Factor, PairwiseComparison, compare_pair, factor, pair_limits
from scoring.times import Array, Times

LEVEL = 0.95
"""The level of intervals. A pair is settled if one entry is faster in a fraction of (1 + LEVEL) / 2
of the draws and the t-test of the log ratios agrees, so that two equal entries are called different
in at most 1 - LEVEL of all comparisons."""
MANY = 200
"""Larger numbers of additional studies are reported as out of reach."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Entry A against entry B; factors are B's time over A's, above 1 if A is faster."""

    a: str
    b: str
    workloads: tuple[str, ...]
    medians: Array
    """(2, W): the median times of A and B."""
    factor: Factor
    by_workload: tuple[PairwiseComparison, ...] | None
    """None for a screening: one study gives no estimate of the noise."""
    overall: PairwiseComparison | None
    studies: int
    more_studies: int | None
    """Additional studies of each entry needed to settle it; 0 if settled, None if out of reach.

    For a screening, which gives no noise estimate, computed from the noise of recorded screenings.
    """
    is_equal: bool
    """Whether the two have the same time in every study."""
    sequential: SequentialTest
    """The result of the sequential test, for studies that were added until the pair was settled."""

    def to_json(self) -> dict[str, object]:
        """All numbers by name, for JSON; unknown or non-finite ones are None."""
        pairs = self.by_workload or (None,) * len(self.workloads)
        columns = zip(self.workloads, self.medians.T, pairs, strict=True)
        return {
            "a": self.a,
            "b": self.b,
            "studies": self.studies,
            "more_studies": self.more_studies,
            "verdict": self.verdict(),
            "factor": _finite(self.factor.overall),
            "mark": self.factor.mark,
            **_surety(self.overall),
            "sequential": self.sequential.to_json(),
            "workloads": {
                workload: {
                    "a_s": _finite(times[0]),
                    "b_s": _finite(times[1]),
                    "factor": _finite(self.factor.by_workload[row]),
                    "mark": self.factor.marks[row],
                    **_surety(pair),
                }
                for row, (workload, times, pair) in enumerate(columns)
            },
        }

    def sequential_verdict(self) -> str:
        """The verdict valid for studies added until the pair was settled; '' for a screening."""
        if self.overall is None or self.is_equal or not np.isfinite(self.medians).any():
            return ""
        low, high = self.sequential.interval()
        outcome = "settled all the same" if self.sequential.is_settled else "not settled"
        return (
            f"had studies been added until it was settled: {outcome}, "
            f"{self.sequential.factor:.3f} times [{low:.3f}, {high:.3f}]"
        )

    def verdict(self) -> str:
        """The result of the comparison in one sentence."""
        if not np.isfinite(self.medians).any():
            return "not settled: neither reached a target"
        if self.is_equal:
            return f"no difference seen: {self.a} and {self.b} have the same times in every study"
        if self.overall is None:
            return self._screening()
        if self.more_studies == 0:
            first, second, by = (
                (self.a, self.b, self.overall)
                if self.overall.logs.mean() > 0
                else (self.b, self.a, self.overall.swap())
            )
            low, middle, high = by.interval(LEVEL)
            return f"{first} is faster than {second}: {middle:.3f} times [{low:.3f}, {high:.3f}]"
        if self.more_studies is None:
            return "not settled, and more studies would hardly settle it: " + self._why()
        return f"not settled: about {self.more_studies} more studies of each would settle it"

    def _screening(self) -> str:
        factor = f"{self.factor.mark} {self.factor.overall:.3f}".strip()
        text = f"screening: {self.a} is {factor} times as fast as {self.b} in one study; "
        if self.factor.mark or self.factor.undecided_workloads:
            return text + "what did not reach the target hides how much; more studies may reach it"
        if self.more_studies is None:
            return text + "the two are too close for more studies to settle it"
        return (
            f"{text}about {self.more_studies} more of each would settle it, if times vary by "
            f"{NOISE:.0%} as recorded ones did: "
            f"harness run --submission {self.a} --until-settled {self.b}"
        )

    def _why(self) -> str:
        if self.overall is not None and self.overall.undecided_fraction > 0.1:
            return "what did not reach the target hides which is faster"
        return "the two are too close"


def compare_entries(
    times: Times, a: str, b: str, rules: Rules, *, draws: int = 4000, seed: int = 0
) -> Comparison:
    """Compare two entries on the workloads that both have run.

    Args:
        times: study times of both entries.
        a: name of the first entry.
        b: name of the second entry.
        rules: the scoring rules, for missing studies and held-out workloads.
        draws: number of resamples, or of draws from the model.
        seed: seed of the draws.

    Raises:
        UnknownNameError: there is no such entry.
        HarnessError: no workload that counts has studies of both.
    """
    both = times.take([a, b])
    columns = _shared_columns(both, rules)
    names = tuple(both.workloads[column] for column in columns)
    medians = median_times(settle_missing(both.hit, rules))[:, columns]
    limits = pair_limits(both, 0, 1).take(columns)
    point = factor(medians[0], medians[1], limits)
    studies = int((~np.isnan(both.hit[:, columns])).sum(axis=2).min(initial=len(both.studies)))
    mine, theirs = both.hit[:, columns]
    is_equal = bool(np.array_equal(mine, theirs, equal_nan=True))
    sequential = sequential_test(ratios_within(mine, theirs, limits.shared))
    if studies < 2:
        more = _studies_after_screening(point, len(columns))
        return Comparison(
            a, b, names, medians, point, None, None, studies, more, is_equal, sequential
        )
    sample = draw_medians(both, rules, draws, seed)
    drawn_medians = np.concatenate(list(sample.chunks))[..., columns]
    overall = compare_pair(drawn_medians[:, 0], drawn_medians[:, 1], limits, sample.spread)
    singles = tuple(
        compare_pair(drawn_medians[:, 0, [w]], drawn_medians[:, 1, [w]], limits.take([w]))
        for w in range(len(columns))
    )
    more = more_studies(overall, studies)
    if more == 0 and sequential.p_value > 1 - LEVEL:
        more = 1
    return Comparison(
        a, b, names, medians, point, singles, overall, studies, more, is_equal, sequential
    )


def _shared_columns(both: Times, rules: Rules) -> list[int]:
    """The columns of the workloads that count and that both entries have run."""
    has_study: npt.NDArray[np.bool_] = np.asarray((~np.isnan(both.hit)).any(axis=2))
    counted = scored_columns(both.workloads, rules)
    shared = [column for column in counted if has_study[:, column].all()]
    if not shared:
        ran = (
            f"{entry} has {', '.join(both.workloads[c] for c in counted if has[c]) or 'none'}"
            for entry, has in zip(both.submissions, has_study, strict=True)
        )
        raise HarnessError(
            f"no workload that counts has studies of both: {'; '.join(ran)}",
            "run one of them where the other ran: harness run --workload NAME --submission NAME",
        )
    return shared


def more_studies(comparison: PairwiseComparison, studies: int) -> int | None:
    """Additional studies needed to put the interval of the factor on one side of 1.

    The standard deviation of the log factor shrinks with the square root of the number of studies,
    so n = studies * (z * spread / mean)^2 studies are needed in total at the observed mean.

    Returns:
        The number of studies; 0 if already settled; None if it exceeds `MANY`, or if censoring
        hides the answer, which more studies cannot change.
    """
    tail = (1 - LEVEL) / 2
    if max(comparison.wins, comparison.losses) >= 1 - tail:
        return 0
    if comparison.undecided_fraction > 0.1:
        return None
    mean, spread = float(comparison.logs.mean()), float(comparison.logs.std()) / comparison.spread
    if mean == 0.0:
        return None
    total = math.ceil(studies * (norm.ppf(1 - tail) * spread / mean) ** 2)
    more = max(1, total - studies)
    return more if more <= MANY else None


def _studies_after_screening(factor: Factor, workloads: int) -> int | None:
    """Like `more_studies`, after one study on a number of workloads, with the noise `NOISE`."""
    mean = abs(math.log(factor.overall))
    if mean == 0.0 or workloads == 0:
        return None
    spread = NOISE * math.sqrt(2 / workloads)
    total = math.ceil((norm.ppf(1 - (1 - LEVEL) / 2) * spread / mean) ** 2)
    more = max(1, total - 1)
    return more if more <= MANY else None


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _surety(pair: PairwiseComparison | None) -> dict[str, float | None]:
    """The interval of the factor, and the probability that A is faster; None for a screening."""
    if pair is None:
        return {"low": None, "high": None, "probability": None}
    low, _, high = pair.interval(LEVEL)
    return {"low": _finite(low), "high": _finite(high), "probability": pair.probability}
