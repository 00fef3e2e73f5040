"""Two entries side by side: where one is faster, by how much, how surely; what would settle it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from scoring.draws import draw_medians
from scoring.profile import median_times, settle_missing
from scoring.refusals import Breach
from scoring.rules import Rules
from scoring.speedup import Factor, PairwiseComparison, compare_pair, factor, pair_limit
from scoring.times import Array, Times

LEVEL = 0.90
MANY = 200
"""More studies than this are as good as never."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Entry A against entry B; every factor is B's time over A's, above 1 where A is faster."""

    a: str
    b: str
    workloads: tuple[str, ...]
    medians: Array
    """(2, W): the median times of A and of B."""
    factor: Factor
    by_workload: tuple[PairwiseComparison, ...] | None
    """None for a screening: one study says nothing of its own noise."""
    overall: PairwiseComparison | None
    studies: int
    more_studies: int | None
    """How many more studies of each would settle it; 0 if it is settled, None if out of reach."""

    def verdict(self) -> str:
        """The comparison in one sentence."""
        if self.overall is None:
            return (
                f"screening: {self.a} / {self.b} = {self.factor.overall:.3f} times as fast in one "
                "study; run more studies for a verdict"
            )
        if self.more_studies == 0:
            first, second, by = (
                (self.a, self.b, self.overall)
                if self.overall.logs.mean() > 0
                else (self.b, self.a, self.overall.swapped())
            )
            low, middle, high = by.interval(LEVEL)
            return f"{first} is faster than {second}: {middle:.3f} times [{low:.3f}, {high:.3f}]"
        if self.more_studies is None:
            return "not settled, and more studies would hardly settle it: " + self._why()
        return f"not settled: about {self.more_studies} more studies of each would settle it"

    def _why(self) -> str:
        if self.overall is not None and self.overall.hidden > 0.1:
            return "what did not reach the target hides which is faster"
        return "the two are too close"


def compare_entries(
    times: Times, a: str, b: str, rules: Rules, *, draws: int = 4000, seed: int = 0
) -> Comparison:
    """Compare two entries over the workloads that both were run on.

    Args:
        times: study times that hold both entries.
        a: one entry.
        b: the other.
        rules: they say what a missing study is, and which workloads are held out.
        draws: how many resamples, or draws from the model.
        seed: of the random choice.
    """
    both = times.take([a, b])
    shared = (np.isfinite(both.hit) | np.isposinf(both.hit)).any(axis=2).min(axis=0)
    columns = [
        column
        for column, name in enumerate(both.workloads)
        if shared[column] and name not in rules.held_out and (not rules.base or name in rules.base)
    ]
    names = tuple(both.workloads[column] for column in columns)
    medians = median_times(settle_missing(both.hit, rules))[:, columns]
    limit = pair_limit(both, 0, 1)[columns]
    point = factor(medians[0], medians[1], limit)
    studies = int((~np.isnan(both.hit[:, columns])).sum(axis=2).min(initial=len(both.studies)))
    if studies < 2:
        return Comparison(a, b, names, medians, point, None, None, studies, None)
    made = draw_medians(both, rules, draws, seed)
    drawn = np.concatenate(list(made.chunks))[..., columns]
    overall = compare_pair(drawn[:, 0], drawn[:, 1], limit, made.spread)
    singles = tuple(
        compare_pair(drawn[:, 0, [w]], drawn[:, 1, [w]], limit[[w]]) for w in range(len(columns))
    )
    more = more_studies(overall, studies)
    return Comparison(a, b, names, medians, point, singles, overall, studies, more)


def more_studies(seen: PairwiseComparison, studies: int) -> int | None:
    """How many more studies would put the interval of the factor on one side of 1.

    The spread of the log factor shrinks with the root of the number of studies, so that
    n = studies * (z * spread / mean)^2 studies are needed in all, at the mean now seen.

    Returns:
        0 if it is settled already; None if it would take more than `MANY`, or if what did not
        reach the target hides the answer, which more studies do not mend.
    """
    tail = (1 - LEVEL) / 2
    if max(seen.wins, seen.losses) >= 1 - tail:
        return 0
    if seen.hidden > 0.1:
        return None
    mean, spread = float(seen.logs.mean()), float(seen.logs.std()) / seen.spread
    if mean == 0.0:
        return None
    needed = math.ceil(studies * (norm.ppf(1 - tail) * spread / mean) ** 2)
    more = max(1, needed - studies)
    return more if more <= MANY else None


def comparison_breaches(comparison: Comparison) -> list[Breach]:
    """A breach if the claim of a difference rests on fewer than two studies."""
    if comparison.studies >= 2:
        return []
    return [
        Breach("too-few-studies", f"{comparison.a} and {comparison.b} have one study in common")
    ]
