"""Successive halving, on final values that are given."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.calibration.halving import Final, Rung, halve
from harness.calibration.target import Direction
from harness.plan.points import Point

POINTS: list[Point] = [{"learning_rate": rate} for rate in (0.1, 0.2, 0.3, 0.4)]


def best_of(finals: Sequence[Final | None], direction: Direction) -> Point:
    """The best point where each of the four has the same final values on every rung."""

    def train(rung: Rung) -> list[Final | None]:
        return [finals[number - 1] for number, _ in rung.points]

    return halve(POINTS, 100, direction, train)[0]


@pytest.mark.parametrize(("direction", "best"), [("maximize", 2), ("minimize", 0)])
def test_the_point_of_the_best_metric_wins(direction: Direction, best: int) -> None:
    finals = [Final(0.5, 0.1), None, Final(0.9, 0.8), Final(0.7, 0.2)]
    assert best_of(finals, direction) == POINTS[best]


def test_of_points_with_the_same_accuracy_that_of_the_smallest_loss_wins() -> None:
    finals = [Final(1.0, 0.3), Final(0.9, 0.01), Final(1.0, 0.2), Final(1.0, 0.4)]
    assert best_of(finals, "maximize") == POINTS[2]


def test_each_rung_trains_the_better_half_longer() -> None:
    rungs: list[Rung] = []

    def train(rung: Rung) -> list[Final | None]:
        rungs.append(rung)
        return [Final(float(number), 0.0) for number, _ in rung.points]

    _, tries = halve(POINTS, 100, "maximize", train)
    assert [(r.steps, [n for n, _ in r.points]) for r in rungs] == [
        (25, [1, 2, 3, 4]), (50, [4, 3]), (100, [4]),
    ]  # fmt: skip
    assert [tried.final for tried in tries] == [1.0, 2.0, 3.0, 4.0, 4.0, 3.0, 4.0]
