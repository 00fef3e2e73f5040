"""Successive halving: the best of the points that are tried for a baseline.

All points train for a quarter of the horizon, the better half of them for half of it, and the best
quarter for all of it. Of points with the same metric the one with the smaller loss is better: where
an accuracy is 1, it tells points apart no longer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from harness.calibration.summary import TriedPoint
from harness.calibration.target import Direction
from harness.plan.points import Point

RUNGS = ((0.25, 1.0), (0.5, 0.5), (1.0, 0.25))
"""(fraction of the horizon, fraction of the points trained so long)."""
NumberedPoint = tuple[int, Point]


class Final(NamedTuple):
    """The validation values after a trial's last step."""

    value: float
    """The target's metric."""
    loss: float


class Rung(NamedTuple):
    """Points that train equally long, on the same instance."""

    number: int
    """From 1."""
    steps: int
    points: Sequence[NumberedPoint]


def halve(
    points: Sequence[Point],
    horizon_steps: int,
    direction: Direction,
    train: Callable[[Rung], Sequence[Final | None]],
) -> tuple[Point, tuple[TriedPoint, ...]]:
    """The best point, and all that were tried, each as often as it was.

    Args:
        points: the candidates.
        horizon_steps: the steps of the last rung.
        direction: whether the metric is maximized or minimized.
        train: trains a rung's points; the final values of each, None if there are none.
    """
    candidates = list(enumerate(points, start=1))
    tries: list[TriedPoint] = []
    for number, (length, fraction) in enumerate(RUNGS, start=1):
        steps = max(1, round(length * horizon_steps))
        candidates = candidates[: max(1, round(fraction * len(points)))]
        finals = train(Rung(number, steps, candidates))
        tries += [
            TriedPoint(point=point, rung_steps=steps, final=final and final.value)
            for (_, point), final in zip(candidates, finals, strict=True)
        ]
        candidates = _rank(candidates, finals, direction)
    return candidates[0][1], tuple(tries)


def _rank(
    candidates: Sequence[NumberedPoint], finals: Iterable[Final | None], direction: Direction
) -> list[NumberedPoint]:
    """Points from best to worst final values; those without come last."""
    sign = -1.0 if direction == "maximize" else 1.0

    def key(pair: tuple[NumberedPoint, Final | None]) -> tuple[float, float, int]:
        (number, _), final = pair
        return (sign * final.value, final.loss, number) if final else (math.inf, math.inf, number)

    ranking = sorted(zip(candidates, finals, strict=True), key=key)
    return [candidate for candidate, _ in ranking]
