"""The error rate of a screening, which ranks entries by one study of three trials."""

from __future__ import annotations

import math

from scipy.stats import norm

NOISE = 0.30
"""Standard deviation of the log time of a study of three trials with randomly drawn points, from 75
recorded trials of `adamw` on the workloads of `quick` (`benchmarks/validity.py`)."""
RATIO = 1.2
"""The ratio of times for which the error is stated."""


def wrong_order(ratio: float, workloads: int, noise: float = NOISE) -> float:
    """The probability that one study of each ranks two entries wrongly.

    Phi(-log(ratio) sqrt(W) / (noise sqrt(2))): the mean over W workloads of the difference of two
    studies' log times, with normal noise.

    Args:
        ratio: the true speed-up of the faster entry, at least 1.
        workloads: the number of workloads that both ran.
        noise: the standard deviation of a study's log time.
    """
    return float(norm.cdf(-math.log(ratio) * math.sqrt(workloads) / (noise * math.sqrt(2))))


def screening_error(workloads: int) -> str:
    """The error of a screening, in words."""
    wrong = wrong_order(RATIO, workloads)
    return (
        f"a screening ranks a pair that differs by {RATIO - 1:.0%} wrongly in {wrong:.0%} of cases"
    )
