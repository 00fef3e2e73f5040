"""When a kept snapshot is looked at, and where the crossing of the target lies: pure rules.

A look costs an evaluation; training on past a hit costs what lies between the hit and the next
look. So looks are at most `NEAR` apart where the target may be near, and at most `FAR` where the
misses so far say that it is far:

    x' = x min(FAR, max(NEAR, exp(SAFETY (target - best) / slope)))

with x the fraction of the budget at the last look, and slope the steeper one of the metric's rises
between the last three looks, each over the log of their fractions. With fewer than two misses, or
without a rise, a look is `FAR` after the last. When one hits, the snapshots since the last miss are
searched: at the interpolated crossing twice, then by halves, until a miss and a hit are neighbours.

All of it follows from what the record holds, so `harness verify` goes through it again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from workloads.targets import AnyTarget

NEAR = 1.08
"""Of two looks near the target the later one's fraction over the earlier one's, at most."""
FAR = 1.25
"""The same anywhere."""
SAFETY = 0.5
"""How much of the way to the extrapolated crossing (in log time) is gone before the next look."""
LOOKS_USED = 3
"""How many looks the extrapolation goes by."""


class Look(NamedTuple):
    """An evaluated snapshot: a time, or another count of training, and the target's metric."""

    at: float
    value: float


def next_look(misses: Sequence[Look], target: AnyTarget) -> float:
    """The fraction of the budget at which the next look is due.

    Args:
        misses: the looks so far, none of which met the target, by fractions of the budget; at least
            one.
        target: what is looked for.
    """
    step = max(math.log(NEAR), _log_step(misses, target))
    return misses[-1].at * math.exp(min(math.log(FAR), step))


def _log_step(misses: Sequence[Look], target: AnyTarget) -> float:
    """How far the next look is, in log time, by what the metric did between the last ones."""
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
    """Where the target is met: interpolated by the metric's values, linear in the log of `at`.

    It is the hit's own place where there is no miss before it, or none with a number.
    """
    if miss is None or miss.at <= 0.0 or not (math.isfinite(miss.value) and miss.at < hit.at):
        return hit.at
    weight = (target.value - miss.value) / (hit.value - miss.value)
    if not 0.0 <= weight <= 1.0:
        return hit.at
    return min(hit.at, miss.at * math.exp(weight * math.log(hit.at / miss.at)))


def next_place(times: Sequence[float], low: int, high: int, crossing_s: float | None = None) -> int:
    """Which of the snapshots between a miss and a hit is evaluated next.

    Args:
        times: of all snapshots since the last miss.
        low: the place of the miss in them; -1 if it came before them.
        high: the place of the hit; some lie between.
        crossing_s: where the crossing is expected; None halves what is left.
    """
    if crossing_s is None:
        return (low + high) // 2
    before = [place for place in range(low + 1, high) if times[place] <= crossing_s]
    return before[-1] if before else low + 1
