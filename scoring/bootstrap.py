"""A bootstrap of median times over studies, paired across entries.

Study k of a workload is one instance, shared by all entries; a resample draws studies with
replacement, the same for all entries and independently for each workload.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scoring.profile import median_times
from scoring.times import Array

CHUNK = 1 << 15
"""Number of medians per chunk, small enough for the working arrays to fit in the CPU cache."""


def bootstrap_medians(
    times: Array, draws: int, seed: int, ends: tuple[Array, Array] | None = None
) -> Iterator[Array]:
    """Yield medians of resampled studies in chunks (some draws, S, W).

    Args:
        times: study times, (S, W, K); NaN where there is no study. For an entry with fewer studies
            of a workload than others, its own studies are resampled, keeping their number.
        draws: total number of resamples.
        seed: seed of the resamples.
        ends: the interval of each time, from which every chunk draws times uniformly. None if times
            are exact.
    """
    random = np.random.default_rng(seed)
    entries, workloads, studies = times.shape
    size = max(1, CHUNK // max(1, entries * workloads))
    complete = not np.isnan(times).any()
    by_study = np.ascontiguousarray(times.transpose(1, 2, 0))
    for start in range(0, draws, size):
        if ends is not None:
            times = within(*ends, random)
            by_study = np.ascontiguousarray(times.transpose(1, 2, 0))
        uniform = random.random((min(size, draws - start), workloads, studies))
        if complete:
            yield _complete_medians(by_study, (uniform * studies).astype(np.intp))
        else:
            yield _ragged_medians(times, uniform)


def within(early: Array, late: Array, random: np.random.Generator) -> Array:
    """Times drawn uniformly from their intervals; non-finite times are unchanged."""
    with np.errstate(invalid="ignore"):
        times = early + random.random(early.shape) * (late - early)
    return np.where(np.isfinite(late), times, late)


def _complete_medians(by_study: Array, indices: np.ndarray) -> Array:
    """Medians (R, S, W) of times (W, K, S) at studies (R, W, K), by a sorting network."""
    rows = np.arange(by_study.shape[0])
    slots = [by_study[rows, indices[:, :, k]] for k in range(indices.shape[2])]
    for low, high in sorting_network(len(slots)):
        lesser = np.minimum(slots[low], slots[high])
        np.maximum(slots[low], slots[high], out=slots[high])
        slots[low] = lesser
    middle = len(slots) // 2
    if len(slots) % 2:
        return np.asarray(slots[middle].swapaxes(1, 2))
    return np.asarray(((slots[middle - 1] + slots[middle]) / 2).swapaxes(1, 2))


def sorting_network(count: int) -> Iterator[tuple[int, int]]:
    """Batcher's odd-even merge sort as compare-exchange pairs (Knuth, TAOCP 3, 5.2.2 M)."""
    top = 1 << max(count - 1, 1).bit_length() - 1
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while d > 0:
            yield from ((i, i + d) for i in range(count - d) if i & p == r)
            d, q, r = q - p, q >> 1, p
        p >>= 1


def _ragged_medians(times: Array, uniform: Array) -> Array:
    """Medians (R, S, W) where cells have different numbers of studies."""
    order = np.argsort(np.isnan(times), axis=-1, kind="stable")
    front = np.take_along_axis(times, order, axis=-1)
    counts = (~np.isnan(times)).sum(axis=-1)[None, :, :, None]
    indices = (uniform[:, None, :, :] * counts).astype(np.intp)
    values = np.take_along_axis(np.broadcast_to(front, indices.shape), indices, axis=-1)
    values = np.where(np.arange(times.shape[-1]) < counts, values, np.nan)
    return median_times(values)
