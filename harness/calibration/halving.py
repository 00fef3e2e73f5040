"""Successive halving: the best of the points that are tried for a baseline.

All points train for a quarter of the horizon, the better half of them for half of it, and the best
quarter for all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from harness.calibration.summary import TriedPoint
from harness.calibration.target import Direction
from harness.plan.points import Point

RUNGS = ((0.25, 1.0), (0.5, 0.5), (1.0, 0.25))
"""(fraction of the horizon, fraction of the points trained so long)."""
NumberedPoint = tuple[int, Point]


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
    train: Callable[[Rung], Sequence[float | None]],
) -> tuple[Point, tuple[TriedPoint, ...]]:
    """The best point, and all that were tried, each as often as it was.

    Args:
        points: the candidates.
        horizon_steps: the steps of the last rung.
        direction: whether the metric is maximized or minimized.
        train: trains a rung's points; the final metric of each, None if there is none.
    """
    candidates = list(enumerate(points, start=1))
    tries: list[TriedPoint] = []
    for number, (length, fraction) in enumerate(RUNGS, start=1):
        steps = max(1, round(length * horizon_steps))
        candidates = candidates[: max(1, round(fraction * len(points)))]
        finals = train(Rung(number, steps, candidates))
        tries += [
            TriedPoint(point=point, rung_steps=steps, final=final)
            for (_, point), final in zip(candidates, finals, strict=True)
        ]
        candidates = _rank(candidates, finals, direction)
    return candidates[0][1], tuple(tries)


def _rank(
    candidates: Sequence[NumberedPoint], finals: Iterable[float | None], direction: Direction
) -> list[NumberedPoint]:
    """Points from best to worst final metric; those without a final metric come last."""
    sign = -1.0 if direction == "maximize" else 1.0
    keys = [
        ((final is None, sign * (final or 0.0), number), (number, point))
        for (number, point), final in zip(candidates, finals, strict=True)
    ]
    return [pair for _, pair in sorted(keys, key=lambda entry: entry[0])]
