"""Median times drawn from a model of log time, for entries with fewer than five studies.

    log t[s, w, k] = mu[s, w] + a[w, k] + e,   a ~ N(0, sigma_a^2),   e ~ N(0, sigma^2)

s is the entry, w the workload, k the study. a is the effect of the instance, shared by all entries,
so differences between entries are paired; sigma is pooled over entries and workloads. A study that
did not reach the target is censored at its limit: log t is above it. The priors are flat in mu and
sigma_a, and 1/sigma^2 in sigma^2; without censoring, differences of mu then have the t distribution
of a two-way analysis of variance (Box and Tiao 1973, chapter 2). The posterior is sampled by Gibbs
steps with the censored values as unknowns (Tanner and Wong 1987; Chib 1992).

exp(mu) is the median of the study times; if it lies beyond the limit the target is not reached.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, ndtri_exp

from scoring.times import Array

TINY = 1e-9
"""Lower bound on times and variances, so that ties and zero times have finite logarithms."""
LARGEST_VARIANCE = 4.0
"""Upper bound on the variance of a log time; its standard deviation is a factor of 7.4. With two
studies, one of them censored, the data alone give no bound."""
BURN_IN = 100
THIN = 3
CHAINS = 64
CELLS = 1 << 21
"""Maximum number of values held at once; large tables run fewer chains for longer."""


@dataclass
class _Data:
    """Log times (S, W, K) of cells that reached the target at least once, with masks of observed
    and censored studies.
    """

    log_time: Array
    is_present: npt.NDArray[np.bool_]
    is_censored: npt.NDArray[np.bool_]
    per_cell: Array
    per_study: Array

    @classmethod
    def of(cls, times: Array, limit: Array) -> _Data:
        is_reached = np.isfinite(times)
        is_modelled = is_reached.any(axis=-1, keepdims=True)
        is_censored = np.isposinf(times) & is_modelled
        log_limit = np.log(np.maximum(limit, TINY))[..., None]
        with np.errstate(invalid="ignore"):
            log_time = np.where(is_reached, np.log(np.maximum(times, TINY)), 0.0)
        is_present = is_reached | is_censored
        log_time = np.where(is_censored, log_limit, log_time)
        return cls(
            log_time, is_present, is_censored, is_present.sum(axis=-1), is_present.sum(axis=0)
        )


def model_medians(
    times: Array,
    limit: Array,
    draws: int,
    seed: int,
    ends: tuple[Array, Array] | None = None,
) -> Array:
    """Draw medians from the model, (draws, S, W); infinite if beyond the limit.

    Args:
        times: study times, (S, W, K); infinite if not reached, NaN if there is no study.
        limit: finite time or count at which a study that did not reach is censored, (S, W).
        draws: number of posterior draws.
        seed: seed of the Gibbs sampler.
        ends: the interval of each time, finite where the time is; every sweep draws times uniformly
            from it. None if times are exact.
    """
    data = _Data.of(times, limit)
    chains = max(1, min(CHAINS, draws, CELLS // max(1, times.size)))
    chain = _Chain(data, chains, np.random.default_rng(seed), ends)
    for _ in range(BURN_IN):
        chain.step()
    chunks: list[Array] = []
    while len(chunks) * chains < draws:
        for _ in range(THIN):
            chain.step()
        chunks.append(chain.mu)
    mu = np.concatenate(chunks)[:draws]
    never = ~np.isfinite(times).any(axis=-1)
    # Without a censored study the limit may be unknown, and a mean beyond it is meaningless. By
    # another clock than seconds, a hit may come later than another study's miss ended.
    latest = np.maximum(limit, np.where(np.isfinite(times), times, 0.0).max(axis=-1))
    beyond = (mu > np.log(np.maximum(latest, TINY))) & data.is_censored.any(axis=-1)
    return np.where(never | beyond, np.inf, np.exp(mu))


class _Chain:
    """Parallel Gibbs chains; `step` draws each unknown given the others."""

    def __init__(
        self,
        data: _Data,
        chains: int,
        random: np.random.Generator,
        ends: tuple[Array, Array] | None = None,
    ) -> None:
        entries, workloads, studies = data.is_present.shape
        self.data = data
        self.ends = ends
        self.random = random
        self.log_time = np.broadcast_to(data.log_time, (chains, *data.is_present.shape)).copy()
        self.mu = np.zeros((chains, entries, workloads))
        self.instance = np.zeros((chains, workloads, studies))
        self.variance = np.full(chains, 0.01)
        self.instance_variance = np.full(chains, 0.01)
        # With a single entry its noise cannot be separated from the instance effect.
        self.is_paired = bool((data.per_study > 1).any())

    def step(self) -> None:
        """Run one Gibbs sweep."""
        if self.ends is not None:
            self._draw_times(*self.ends)
        if self.data.is_censored.any():
            self._draw_censored()
        self._draw_mu()
        if self.is_paired:
            self._draw_instance()
        self._draw_variance()

    def _mean(self) -> Array:
        return self.mu[..., None] + self.instance[:, None]

    def _draw_times(self, early: Array, late: Array) -> None:
        """Draw each time uniformly from its interval, which is short compared with the noise."""
        where = self.data.is_present & ~self.data.is_censored
        uniform = self.random.random((len(self.mu), int(where.sum())))
        times = early[where] + uniform * (late[where] - early[where])
        self.log_time[:, where] = np.log(np.maximum(times, TINY))

    def _draw_censored(self) -> None:
        """Draw from the normal distribution truncated to above the limit, by inverse log tail."""
        where = self.data.is_censored
        deviation = np.sqrt(self.variance)[:, None]
        mean = self._mean()[:, where]
        lower = (self.data.log_time[where] - mean) / deviation
        tail = np.log(1.0 - self.random.random(lower.shape)) + log_ndtr(-lower)
        self.log_time[:, where] = mean - deviation * ndtri_exp(tail)

    def _draw_mu(self) -> None:
        count = np.maximum(self.data.per_cell, 1)
        residual = np.where(self.data.is_present, self.log_time - self.instance[:, None], 0.0)
        noise = self.random.standard_normal(self.mu.shape)
        deviation = np.sqrt(self.variance[:, None, None] / count)
        self.mu = residual.sum(axis=-1) / count + deviation * noise

    def _draw_instance(self) -> None:
        residual = np.where(self.data.is_present, self.log_time - self.mu[..., None], 0.0).sum(
            axis=1
        )
        variance = self.variance[:, None, None]
        precision = self.data.per_study / variance + 1 / self.instance_variance[:, None, None]
        noise = self.random.standard_normal(self.instance.shape)
        self.instance = residual / variance / precision + noise / np.sqrt(precision)
        # A study that no entry has carries no information, so the variance excludes its effect.
        is_covered = self.data.per_study > 0
        squares = np.where(is_covered, self.instance**2, 0.0).sum(axis=(1, 2))
        shape = max(int(is_covered.sum()) - 1, 1) / 2
        self.instance_variance = self._inverse_gamma(shape, squares)

    def _draw_variance(self) -> None:
        error = np.where(self.data.is_present, self.log_time - self._mean(), 0.0)
        squares = (error**2).sum(axis=(1, 2, 3))
        self.variance = self._inverse_gamma(max(int(self.data.is_present.sum()), 1) / 2, squares)

    def _inverse_gamma(self, shape: float, squares: Array) -> Array:
        gamma = self.random.standard_gamma(shape, squares.shape)
        variance = (squares / 2 + TINY**2) / np.maximum(gamma, TINY)
        return np.asarray(np.minimum(variance, LARGEST_VARIANCE))
