"""Comparison of two entries that may be looked at after every study: adding until it is settled.

The statistic is t of `scoring.paired`, of log ratios with mean theta and noise sigma. Against
theta = 0 stands theta / sigma ~ N(0, EFFECT^2), and the evidence is the ratio of the two densities
of t, where t / kappa has the t distribution under the alternative:

    E = f(t / kappa) / (kappa f(t)),    kappa^2 = 1 + EFFECT^2 / v,    f = density of t on nu.

It depends neither on sigma nor on how the workloads' means differ, and over studies it is a
martingale if theta = 0. So it exceeds 1 / ALPHA at any time with probability at most ALPHA (Ville),
whenever one looks and for whatever reason one stops. The values of theta that E does not refuse are
a confidence sequence (Lai 1976; Lindon, Ham, Tingley and Bojinov 2022; Pérez-Ortiz, Lardy, de Heide
and Grünwald 2024; Wang and Ramdas 2025).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from scoring.paired import Moments, moments, p_values, ratios_within, scored_columns
from scoring.rules import Rules
from scoring.speedup import pair_limit
from scoring.times import Array, Times

ALPHA = 0.05
"""Probability that two equal entries are ever called different, however often one looks."""
EFFECT = 2.0
"""Prior standard deviation of an effect, in those of a study's log ratio. Every value keeps the
error; with this one a factor of two on one workload takes about five studies (docs/SCORING.md)."""
MANY = 200
"""More studies than this are out of reach."""


@dataclass(frozen=True)
class SequentialTest:
    """The log ratio of two entries and its evidence; positive where A is faster."""

    mean: float
    """theta_hat: the mean log ratio."""
    variance: float
    """v: that of the mean in units of sigma^2."""
    squares: float
    """nu s^2: the sum of squared deviations from the workloads' means."""
    freedom: int
    """nu."""
    welch: float
    """Degrees of freedom of the t-test that is asked once."""
    studies: int
    """The fewest studies of a workload."""

    @property
    def p_value(self) -> float:
        """Of the t-test, for a number of studies that was fixed before."""
        values = (self.mean, self.variance, self.squares, self.freedom, self.welch, self.studies)
        return float(p_values(Moments(*map(np.asarray, values))))

    @property
    def factor(self) -> float:
        """How many times as fast A is: the geometric mean of the ratios."""
        return math.exp(self.mean)

    @property
    def log_evidence(self) -> float:
        """log E against theta = 0."""
        if self.freedom < 1:
            return 0.0
        signal, kappa2 = self.mean**2 / self.variance, _kappa2(self.variance)
        if signal == 0.0:
            return -0.5 * math.log(kappa2)
        ratio = (self.squares + signal) / (self.squares + signal / kappa2)
        return (self.freedom + 1) / 2 * math.log(ratio) - 0.5 * math.log(kappa2)

    @property
    def is_settled(self) -> bool:
        """Whether one of the two is faster, with an error of at most `ALPHA`."""
        return self.log_evidence >= -math.log(ALPHA)

    def interval(self) -> tuple[float, float]:
        """The factors that the evidence does not refuse; (0, inf) where it refuses none."""
        half = self._half_width(self.freedom, self.variance, self.squares)
        if not math.isfinite(half):
            return 0.0, math.inf
        return math.exp(self.mean - half), math.exp(self.mean + half)

    @staticmethod
    def _half_width(freedom: int, variance: float, squares: float) -> float:
        """Where E = 1 / ALPHA: the distance from `mean`."""
        if freedom < 1:
            return math.inf
        kappa2 = _kappa2(variance)
        level = (math.sqrt(kappa2) / ALPHA) ** (2 / (freedom + 1))
        if level >= kappa2:
            return math.inf
        return math.sqrt(squares * variance * (level - 1) / (1 - level / kappa2))

    def to_json(self) -> dict[str, object]:
        """All numbers by name; an end of the interval that is not finite is None."""
        low, high = self.interval()
        return {
            "settled": self.is_settled,
            "studies": self.studies,
            "factor": self.factor,
            "low": low,
            "high": high if math.isfinite(high) else None,
            "log_evidence": self.log_evidence,
        }

    def more_studies(self) -> int | None:
        """Further studies that would settle it at this mean and noise; None if out of reach."""
        if self.is_settled:
            return 0
        if self.freedom < 1 or self.mean == 0.0:
            return None
        per_study = self.freedom / max(1, self.studies - 1)
        for studies in range(self.studies + 1, self.studies + MANY + 1):
            freedom = round(per_study * (studies - 1))
            half = self._half_width(
                freedom,
                self.variance * self.studies / studies,
                self.squares * freedom / self.freedom,
            )
            if half <= abs(self.mean):
                return studies - self.studies
        return None


def _kappa2(variance: float) -> float:
    return 1 + EFFECT**2 / variance


def sequential_test(ratios: Array) -> SequentialTest:
    """The test of log ratios (W, K); NaN where a study is missing."""
    mean, variance, squares, freedom, welch, studies = moments(ratios)
    return SequentialTest(
        float(mean), float(variance), float(squares), int(freedom), float(welch), int(studies)
    )


def log_ratios(times: Times, rules: Rules) -> Array:
    """log t_B - log t_A of the first two entries of a table on the scored workloads, (W, K)."""
    columns = scored_columns(times.workloads, rules)
    own, other = times.hit[0, columns], times.hit[1, columns]
    return ratios_within(own, other, pair_limit(times, 0, 1)[columns])


def compare_sequentially(times: Times, a: str, b: str, rules: Rules) -> SequentialTest:
    """The test of two entries of a table of study times."""
    return sequential_test(log_ratios(times.take([a, b]), rules))


def sentence(test: SequentialTest, a: str, b: str) -> str:
    """What a look at two entries says."""
    after = f"after {test.studies} studies"
    if test.mean == 0.0:
        return f"not settled {after}: no difference seen between {a} and {b}"
    if test.mean < 0.0:
        test, a, b = replace(test, mean=-test.mean), b, a
    low, high = test.interval()
    factor_text = f"{test.factor:.3f} times [{low:.3f}, {high:.3f}]"
    if test.is_settled:
        return f"settled {after}: {a} is faster than {b}: {factor_text}"
    more = test.more_studies()
    rest = "more would hardly settle it" if more is None else f"about {more} more would settle it"
    return f"not settled {after}: {a} is {factor_text} as fast as {b}; {rest}"
