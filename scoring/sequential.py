"""A sequential test of two entries, valid when studies are added until the pair is settled.

The statistic is t of `scoring.paired`, for log ratios with mean theta and noise sigma. The null
hypothesis is theta = 0, the alternative theta / sigma ~ N(0, EFFECT^2). The evidence E is the ratio
of the two densities of t; under the alternative t / kappa has the t distribution:

    E = f(t / kappa) / (kappa f(t)),    kappa^2 = 1 + EFFECT^2 / v,    f = density of t on nu.

E depends neither on sigma nor on the differences between the workloads' means, and over studies it
is a martingale if theta = 0. Therefore the probability that it ever exceeds 1 / ALPHA is at most
ALPHA (Ville), no matter when and why one stops. The values of theta that E does not reject form a
confidence sequence (Lai 1976; Lindon, Ham, Tingley and Bojinov 2022; Pérez-Ortiz, Lardy, de Heide
and Grünwald 2024; Wang and Ramdas 2025).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from scoring.paired import Moments, moments, p_values, ratios_within, scored_columns
from scoring.rules import Rules
from scoring.speedup import pair_limits
from scoring.times import Array, Times

ALPHA = 0.05
"""The probability that two equal entries are ever called different, however often one looks."""
EFFECT = 2.0
"""The prior standard deviation of an effect, in units of the noise of a study's log ratio. Every
value guarantees the error; with this one, a factor of two on one workload takes about five studies
(docs/SCORING.md)."""
MANY = 200
"""Larger numbers of studies are reported as out of reach."""


@dataclass(frozen=True)
class SequentialTest:
    """The mean log ratio of two entries, positive if A is faster, and its evidence."""

    mean: float
    """theta_hat, the mean log ratio."""
    variance: float
    """v, the variance of the mean in units of sigma^2."""
    squares: float
    """nu s^2, the sum of squared deviations from the workloads' means."""
    freedom: int
    """nu, the degrees of freedom."""
    welch: float
    """Degrees of freedom of the fixed-sample t-test."""
    studies: int
    """The minimum number of studies per workload."""

    @property
    def p_value(self) -> float:
        """The p-value of the t-test, valid for a number of studies fixed in advance."""
        values = (self.mean, self.variance, self.squares, self.freedom, self.welch, self.studies)
        return float(p_values(Moments(*map(np.asarray, values))))

    @property
    def factor(self) -> float:
        """The speed-up of A over B: the geometric mean of the ratios."""
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
        """The speed-ups that the evidence does not reject; (0, inf) if it rejects none."""
        half = self._half_width(self.freedom, self.variance, self.squares)
        if not math.isfinite(half):
            return 0.0, math.inf
        return math.exp(self.mean - half), math.exp(self.mean + half)

    @staticmethod
    def _half_width(freedom: int, variance: float, squares: float) -> float:
        """The distance from `mean` at which E = 1 / ALPHA."""
        if freedom < 1:
            return math.inf
        kappa2 = _kappa2(variance)
        level = (math.sqrt(kappa2) / ALPHA) ** (2 / (freedom + 1))
        if level >= kappa2:
            return math.inf
        return math.sqrt(squares * variance * (level - 1) / (1 - level / kappa2))

    def to_json(self) -> dict[str, object]:
        """All numbers by name, for JSON; a non-finite end of the interval is None."""
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
        """Additional studies that would settle it at this mean and noise; None if out of reach."""
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
    return ratios_within(own, other, pair_limits(times, 0, 1).shared[columns])


def compare_sequentially(times: Times, a: str, b: str, rules: Rules) -> SequentialTest:
    """The test of two entries of a table of study times."""
    return sequential_test(log_ratios(times.take([a, b]), rules))


def sentence(test: SequentialTest, a: str, b: str) -> str:
    """The verdict on two entries, in words."""
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
