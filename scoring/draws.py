"""Draws of median times, by a method that depends on the number of studies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scoring.bootstrap import bootstrap_medians
from scoring.profile import median_times, settle_missing
from scoring.rules import Rules
from scoring.times import Array, Times
from scoring.tmodel import model_medians

BOOTSTRAP_FROM = 5
"""Minimum number of studies of every workload for resampling; for fewer, a model of log times is
used, which pools the noise."""
METHODS = {
    "model": "a model of log time: t intervals, variance pooled, censoring in the likelihood",
    "bootstrap": "a bootstrap over studies, paired across entries",
}


@dataclass(frozen=True, eq=False)
class Draws:
    """Chunks of drawn median times (draws, S, W), and the method that draws them."""

    method: str
    chunks: Iterator[Array]
    centre: Array
    """(S, W): the centre of the draws: the observed median times, or the draws' own medians for the
    model."""
    spread: float = 1.0
    """Standard deviation of resampled medians relative to that of the median itself.

    For n normal values it is 1.20, 1.14, 1.12 and 1.09 at n = 5, 7, 10 and 20, about 1 + 1/n:
    a resample repeats values, so its median varies more than that of new values.
    """


def draw_medians(times: Times, rules: Rules, draws: int, seed: int) -> Draws:
    """Draw median times of a table with at least two studies."""
    hit = settle_missing(times.hit, rules)
    ends = _ends(times, rules)
    if (studies := _fewest_studies(hit)) >= BOOTSTRAP_FROM:
        spread = 1 + 1 / studies
        chunks = bootstrap_medians(hit, draws, seed, ends)
        return Draws("bootstrap", chunks, median_times(hit), spread)
    medians = model_medians(hit, censoring_limit(times), draws, seed, ends)
    return Draws("model", iter([medians]), np.median(medians, axis=0))


def _fewest_studies(hit: Array) -> int:
    """The smallest number of studies of a workload, of those that have any."""
    counts = (~np.isnan(hit)).any(axis=0).sum(axis=-1)
    return int(counts[counts > 0].min(initial=hit.shape[-1]))


def _ends(times: Times, rules: Rules) -> tuple[Array, Array] | None:
    """The interval of each time; None if unknown, or if the rules round times up to the hit.

    Draws take each time uniformly from its interval.
    """
    if rules.time == "hit" or np.array_equal(times.miss, times.latest, equal_nan=True):
        return None
    early, late = settle_missing(times.miss, rules), settle_missing(times.latest, rules)
    return early, late


def censoring_limit(times: Times) -> Array:
    """The time at which a study that did not reach the target is censored, (S, W).

    The limit of the trials if known, else the longest time of the column: a trial that ended
    without a hit presumably ran at least about as long as the slowest hit.
    """
    finite = np.where(np.isfinite(times.hit), times.hit, 0.0)
    longest = np.broadcast_to(finite.max(axis=(0, 2)), times.limit.shape)
    return np.where(np.isfinite(times.limit), times.limit, longest)
