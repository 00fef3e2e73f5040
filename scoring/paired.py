"""Log ratios of two entries' times on the same studies, and the t-test of their mean.

The log ratio of study k on workload w is d[w, k] = log t_B - log t_A, with both times cut at the
pair's limit, so that a miss counts as the limit and no study is omitted. For equal entries it is
symmetric about zero. With the same noise on all workloads,

    d[w, k] = mu[w] + e[w, k],    e ~ N(0, sigma^2),    theta = mean of mu over workloads,

    t = theta_hat / (s sqrt(v)),    v = sum(1 / K[w]) / W^2,    nu = sum(K[w] - 1),

with theta_hat the mean of the workloads' means and s^2 the pooled variance within workloads, on nu
degrees of freedom. The fixed-sample t-test does not assume the same noise: it uses the degrees of
freedom of Welch and Satterthwaite, (sum q[w])^2 / sum(q[w]^2 / (K[w] - 1)), where q[w] is the
variance of the mean of workload w.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from scoring.rules import Rules
from scoring.times import Array
from scoring.tmodel import TINY

MANY = np.iinfo(np.int64).max


class Moments(NamedTuple):
    """The statistics of log ratios (..., W, K) that the tests need; each has shape (...)."""

    mean: Array
    """theta_hat, the mean log ratio."""
    variance: Array
    """v, the variance of the mean in units of sigma^2; infinite without a study."""
    squares: Array
    """nu s^2, the sum of squared deviations from the workloads' means."""
    freedom: Array
    """nu."""
    welch: Array
    """Degrees of freedom if workloads differ in noise; NaN without noise."""
    studies: Array
    """The minimum number of studies over workloads with any study."""


def moments(ratios: Array) -> Moments:
    """The moments of log ratios (..., W, K), which are NaN where one of the two has no study."""
    present = ~np.isnan(ratios)
    counts = present.sum(axis=-1)
    has = counts > 0
    workloads = np.maximum(has.sum(axis=-1), 1)
    weights = 1 / np.maximum(counts, 1)
    means = np.where(present, ratios, 0.0).sum(axis=-1) * weights
    deviations = np.where(present, ratios - means[..., None], 0.0)
    squares = (deviations**2).sum(axis=-1)
    free = np.where(has, counts - 1, 0)
    any_study = has.any(axis=-1)
    return Moments(
        means.sum(axis=-1) / workloads,
        np.where(any_study, np.where(has, weights, 0.0).sum(axis=-1) / workloads**2, np.inf),
        squares.sum(axis=-1),
        free.sum(axis=-1),
        _welch(squares, free),
        np.where(any_study, np.where(has, counts, MANY).min(axis=-1, initial=MANY), 0),
    )


def _welch(squares: Array, free: Array) -> Array:
    """Degrees of freedom of the sum of the means' variances over workloads (..., W)."""
    of_mean = squares / np.maximum(free * (free + 1), 1)
    with np.errstate(invalid="ignore"):
        return np.asarray(
            of_mean.sum(axis=-1) ** 2 / (of_mean**2 / np.maximum(free, 1)).sum(axis=-1)
        )


def p_values(of: Moments) -> Array:
    """Two-sided p-values of the t-test for equal entries; 1 if the noise is unknown."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(of.mean) / np.sqrt(of.squares / of.freedom * of.variance)
    is_known = (of.freedom > 0) & (of.mean != 0)
    # Without any noise t is infinite, on whatever degrees of freedom.
    freedom = np.where(np.isfinite(of.welch), of.welch, np.maximum(of.freedom, 1))
    return np.where(is_known, 2 * student.sf(t, freedom), 1.0)


def ratios_within(own: Array, other: Array, limit: Array) -> Array:
    """log(other / own) of times (..., W, K), each cut at its workload's limit (..., W)."""
    ends = np.maximum(limit, TINY)[..., None]
    logs = [np.log(np.clip(times, TINY, ends)) for times in (own, other)]
    return np.asarray(logs[1] - logs[0])


def scored_columns(workloads: tuple[str, ...], rules: Rules) -> list[int]:
    """The columns that a comparison averages over: no held-out variants, no unscored workloads."""
    return [
        column
        for column, name in enumerate(workloads)
        if name not in rules.held_out and (not rules.base or name in rules.base)
    ]
