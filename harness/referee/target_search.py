"""The observation of a trial on its grid: which snapshots are evaluated, and when the target is
hit.

Snapshots are taken at every multiple of the grid's fraction of the budget. Every k-th is evaluated
at once; the others are kept. When one hits, those since the last miss are evaluated in order, and
the first of them that hits decides. Every entry is observed in this way, whatever it does.

A hit lies within the budget. The last snapshot is asked for when the budget is spent and comes
later, by the step in flight: it is evaluated, and those before it are looked through if it meets
the target, but it is no hit itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from harness.frameworks.examples import Parameters
from workloads.spec import Frozen, Grid, Target


@dataclass(frozen=True)
class HeldSnapshot:
    """One snapshot as the referee holds it."""

    grid: int
    step: int
    timed_s: float
    examples: int
    parameters: Parameters


@dataclass(frozen=True)
class Hit:
    """The first observed snapshot that meets the target, and the time of the miss before it."""

    snapshot: HeldSnapshot
    last_miss_s: float


class Outcome(NamedTuple):
    """What a `Result` has of the target; None for what there was not."""

    time_to_target_s: float | None = None
    last_miss_s: float | None = None
    steps_to_target: int | None = None
    examples_to_target: int | None = None
    best_metric: float | None = None


class SearchState(Frozen):
    """What a search with no snapshot waiting goes on from."""

    seen: int
    """The last grid point."""
    last_miss_s: float
    best: float | None
    hit: tuple[int, int, float, int, float] | None
    """Grid point, step, timed seconds and examples of the hit, and the time of the last miss."""


Evaluate = Callable[[HeldSnapshot], float]
"""From a snapshot to the value of the target's metric."""


def grid_points(grid: Grid) -> int:
    """How many points the grid has; the last lies at the end of the budget."""
    return math.ceil(1.0 / grid.fraction - 1e-9)


def _place(snapshot: HeldSnapshot) -> tuple[int, int, float, int]:
    return snapshot.grid, snapshot.step, snapshot.timed_s, snapshot.examples


class TargetSearch:
    """Looks at snapshots in order and finds the first hit.

    Args:
        grid: which of them are evaluated at once.
        target: what a hit meets.
        evaluate: gives the target's metric.
        limit_s: the timed seconds after which there is no hit.
    """

    def __init__(
        self, grid: Grid, target: Target, evaluate: Evaluate, limit_s: float = math.inf
    ) -> None:
        self._grid, self._target = grid, target
        self._evaluate, self._limit_s = evaluate, limit_s
        self._snapshots: list[HeldSnapshot] = []
        self._last_grid = 0
        self._last_miss_s = 0.0
        self.best: float | None = None
        self.hit: Hit | None = None

    def add(self, snapshot: HeldSnapshot, is_last: bool) -> None:
        """Take one snapshot; evaluates it, and kept ones, if that is due."""
        every = self._grid.evaluate_every
        is_due = snapshot.grid // every > self._last_grid // every
        self._last_grid = snapshot.grid
        if not (is_last or is_due):
            self._snapshots.append(snapshot)
        elif self._meets(snapshot):
            self.hit = self.hit or self._first_hit(snapshot)
            self._snapshots.clear()
        else:
            self._last_miss_s = snapshot.timed_s
            self._snapshots.clear()

    @property
    def is_settled(self) -> bool:
        """Whether no snapshot waits for a later hit."""
        return not self._snapshots

    def outcome(self) -> Outcome:
        """What a `Result` has of the target."""
        if (hit := self.hit) is None:
            return Outcome(best_metric=self.best)
        snapshot = hit.snapshot
        return Outcome(
            snapshot.timed_s, hit.last_miss_s, snapshot.step, snapshot.examples, self.best
        )

    def state(self) -> SearchState:
        """What a settled observation goes on from."""
        return SearchState(
            seen=self._last_grid,
            last_miss_s=self._last_miss_s,
            best=self.best,
            hit=(*_place(self.hit.snapshot), self.hit.last_miss_s) if self.hit else None,
        )

    def resume(self, state: SearchState) -> None:
        """Go on from a state."""
        self._last_grid, self._last_miss_s, self.best = state.seen, state.last_miss_s, state.best
        if state.hit is not None:
            grid, step, timed_s, examples, last_miss_s = state.hit
            self.hit = Hit(HeldSnapshot(grid, step, timed_s, examples, {}), last_miss_s)

    def _first_hit(self, snapshot: HeldSnapshot) -> Hit | None:
        for earlier in self._snapshots:
            if self._is_in_time(earlier) and self._meets(earlier):
                return Hit(earlier, self._last_miss_s)
            self._last_miss_s = earlier.timed_s
        return Hit(snapshot, self._last_miss_s) if self._is_in_time(snapshot) else None

    def _is_in_time(self, snapshot: HeldSnapshot) -> bool:
        return snapshot.timed_s <= self._limit_s

    def _meets(self, snapshot: HeldSnapshot) -> bool:
        value = self._evaluate(snapshot)
        if math.isfinite(value):
            pick = max if self._target.direction == "maximize" else min
            self.best = value if self.best is None else pick(self.best, value)
        return self._target.is_met_by(value)
