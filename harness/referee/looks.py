"""Pure rules of the search: when to look, where to search, and how to interpolate the crossing.

A look costs an evaluation; after a hit, training up to the next look is wasted. Consecutive looks
therefore differ by a factor of at most `NEAR` if the target may be near, and of at most `FAR` if
the misses so far show that it is far:

    x' = x min(FAR, max(NEAR, exp(SAFETY (target - best) / slope)))

with x the fraction of the budget at the last look, and slope the larger one of the metric's slopes
between the last three looks, in the log of the fraction. With fewer than two misses, or without an
improvement, the next look is `FAR` after the last. When a look hits, the snapshots since the last
miss are searched: twice at the interpolated crossing, then by bisection, until a miss and a hit are
neighbours.

Everything follows from the record, so `harness verify` can replay it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from workloads.targets import AnyTarget

NEAR = 1.08
"""The largest ratio of the fractions at consecutive looks near the target."""
FAR = 1.25
"""The largest ratio anywhere."""
SAFETY = 0.5
"""The fraction of the distance to the extrapolated crossing, in log time, before the next look."""
LOOKS_USED = 3
"""The number of looks that the extrapolation uses."""


class Look(NamedTuple):
    """An evaluated snapshot: its time (or fraction or step), and the target's metric."""

    at: float
    value: float


def next_look(misses: Sequence[Look], target: AnyTarget) -> float:
    """The fraction of the budget at which the next look is due.

    Args:
        misses: the looks so far, none of which met the target, by fractions of the budget; at least
            one.
        target: the metric and the value to reach.
    """
    step = max(math.log(NEAR), _log_step(misses, target))
    return misses[-1].at * math.exp(min(math.log(FAR), step))


def _log_step(misses: Sequence[Look], target: AnyTarget) -> float:
    """The distance to the next look in log time, extrapolated from the last looks."""
    sign = 1.0 if target.direction == "maximize" else -1.0
    recent = [Look(math.log(miss.at), sign * miss.value) for miss in misses[-LOOKS_USED:]]
    slopes = [
        (later.value - earlier.value) / (later.at - earlier.at)
        for earlier, later in pairwise(recent)
        if later.at > earlier.at
    ]
    finite = [slope for slope in slopes if math.isfinite(slope)]
    steepest = max(finite, default=0.0)
    if steepest <= 0.0:
        return math.inf
    best = max(miss.value for miss in recent if math.isfinite(miss.value))
    return SAFETY * (sign * target.value - best) / steepest


def crossing(miss: Look | None, hit: Look, target: AnyTarget) -> float:
    """The crossing of the target: interpolated by the metric's values, linear in the log of `at`.

    Without a miss before the hit, or with one that was not finite, it is the hit itself.
    """
    if miss is None or miss.at <= 0.0 or not (math.isfinite(miss.value) and miss.at < hit.at):
        return hit.at
    weight = (target.value - miss.value) / (hit.value - miss.value)
    if not 0.0 <= weight <= 1.0:
        return hit.at
    return min(hit.at, miss.at * math.exp(weight * math.log(hit.at / miss.at)))


def next_place(times: Sequence[float], low: int, high: int, crossing_s: float | None = None) -> int:
    """The index of the snapshot between a miss and a hit that is evaluated next.

    Args:
        times: of all snapshots since the last miss.
        low: the index of the miss; -1 if it came before them.
        high: the index of the hit; there are snapshots in between.
        crossing_s: the expected crossing; None for bisection.
    """
    if crossing_s is None:
        return (low + high) // 2
    before = [place for place in range(low + 1, high) if times[place] <= crossing_s]
    return before[-1] if before else low + 1
