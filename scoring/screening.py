"""How often a screening is wrong: one study of three trials ranks two entries."""

from __future__ import annotations

import math

from scipy.stats import norm

NOISE = 0.23
"""Standard deviation of the log time of a study of three trials at drawn points: 25 studies of
`adamw` on the four workloads of `quick`, pooled (`benchmarks/validity.py`, 29 November 2026)."""
RATIO = 1.2
"""The difference for which the error is stated."""


def wrong_order(ratio: float, workloads: int, noise: float = NOISE) -> float:
    """Probability that one study of each ranks two entries wrongly.

    Phi(-log(ratio) sqrt(W) / (noise sqrt(2))): the mean over W workloads of a difference of two
    studies' log times, by normal noise.

    Args:
        ratio: how many times as fast one of the two is, at least 1.
        workloads: how many workloads both ran on.
        noise: standard deviation of a study's log time.
    """
    return float(norm.cdf(-math.log(ratio) * math.sqrt(workloads) / (noise * math.sqrt(2))))


def screening_error(workloads: int) -> str:
    """The error of a screening, in words."""
    wrong = wrong_order(RATIO, workloads)
    return (
        f"a screening ranks a pair that differs by {RATIO - 1:.0%} wrongly in {wrong:.0%} of cases"
    )
