"""How often a screening is wrong: one study of three trials ranks two entries."""

from __future__ import annotations

import math

from scipy.stats import norm

NOISE = 0.30
"""Standard deviation of the log time of a study of three trials at drawn points: the best of three
of 75 recorded trials of `adamw` on the workloads of `quick` (`benchmarks/validity.py`)."""
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
