"""A search over a metric that is known at each grid point, without a trial."""

import math
from collections.abc import Sequence

import numpy as np

from harness.referee.parts import Certainty, Measurement
from harness.referee.target_search import Evaluate, HeldSnapshot, TargetSearch
from workloads.spec import Grid, Target
from workloads.targets import AnyTarget

TARGET = Target(metric="accuracy", direction="maximize", value=0.5)
GRID = Grid()


def snapshot_at(grid: int, value: float) -> HeldSnapshot:
    return HeldSnapshot(
        grid, step=10 * grid, timed_s=float(grid), examples=0, parameters={"w": np.array(value)}
    )


def measure(
    snapshot: HeldSnapshot,
    until: Certainty = "whole",
    likely: float = math.inf,
    clear: float = math.inf,
) -> Measurement:
    """What is farther from the target than `likely` is seen on a part of the split, where the
    metric is 0.01 lower; so are misses by more than `clear`.
    """
    value = float(snapshot.parameters["w"])
    missing = TARGET.value - value
    if until != "whole" and missing > clear:
        return Measurement(value - 0.01, "clear")
    if until == "likely" and abs(missing) > likely:
        return Measurement(value - 0.01, "likely")
    return Measurement(value)


def observe(
    values: Sequence[float],
    kept: int,
    *,
    limit_s: float = math.inf,
    grid: Grid | None = None,
    target: AnyTarget = TARGET,
    evaluate: Evaluate = lambda snapshot, *, until: measure(snapshot, until),
) -> tuple[TargetSearch, list[int]]:
    """A search over a metric's values at each grid point, and what it has evaluated."""
    points = []

    def note_and_evaluate(snapshot: HeldSnapshot, *, until: Certainty) -> Measurement:
        points.append(snapshot.grid)
        return evaluate(snapshot, until=until)

    grid = grid or Grid(even=len(values), look_from=1.0, kept=kept)
    search = TargetSearch(grid, target, note_and_evaluate, limit_s)
    for point, value in enumerate(values, start=1):
        if search.is_look_due(point):
            search.look(snapshot_at(point, value), whole=point == len(values))
        else:
            search.keep(snapshot_at(point, value))
        if search.hit:
            break
    return search, points


def place_of_hit(search: TargetSearch) -> int | None:
    return search.hit.snapshot.grid if search.hit else None


def learning(at_target: float, slope: float) -> list[float]:
    """A metric that rises with the log of time and meets the target at a fraction of the budget."""
    fractions = [GRID.fraction(point) for point in range(1, GRID.points + 1)]
    return [0.5 + slope * math.log(x / at_target) for x in fractions]
