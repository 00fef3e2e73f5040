"""The search for the target: which snapshots are evaluated, and where the target is met.

A snapshot is taken at each grid point. At a look (see `harness.referee.looks`) the worker is
stopped and its snapshot evaluated; the other snapshots are held, at most `Grid.kept` of them.
When a look hits, the held snapshots are searched until a miss and a hit are neighbours, which takes
few evaluations. The time to target is the crossing between these two, interpolated by the metric's
values; both are part of the result. All entries are observed in the same way.

If the metric oscillates around the target, the search finds one crossing, a miss and the hit right
after it, between the last look that missed and the first that hit. Earlier hits between two looks,
or between two searched snapshots, remain undetected, for all entries alike.

A hit must lie within the budget. The last snapshot is requested when the budget is spent and
arrives one step later. It is evaluated, and the snapshots before it are searched if it meets the
target, but it is not a hit itself.

Of most snapshots only a part of the validation split is evaluated, until it is likely whether they
meet the target, or clear that they miss it (`harness.referee.parts`). A likely outcome decides what
is evaluated next; only a clear miss makes the search forget what lies before it. In the end all of
the split is evaluated of the hit and of the miss right before it, and whatever does not hold is
searched again. A miss that was clear remains one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from harness.frameworks.examples import Parameters
from harness.referee.checks import finite_or_none, or_nan
from harness.referee.looks import LOOKS_USED, NEAR, Look, crossing, next_look, next_place
from harness.referee.parts import Certainty, Measurement
from harness.referee.search_state import Miss, Outcome, RecordedHit, SearchState
from workloads.spec import Grid
from workloads.targets import AnyTarget, BaselineTarget

INTERPOLATIONS = 2
"""How many interpolations the search makes before it bisects: between two looks a metric is nearly
linear, except for noise."""


@dataclass(frozen=True)
class HeldSnapshot:
    """A snapshot in the referee's memory."""

    grid: int
    step: int
    timed_s: float
    examples: int
    parameters: Parameters
    needs_statistics: bool = False
    """Whether its running statistics are to be recomputed before it is evaluated."""


@dataclass(frozen=True)
class Hit:
    """A snapshot that meets the target, and the miss right before it.

    `last_miss` is None if no snapshot was evaluated before it.
    """

    snapshot: HeldSnapshot
    value: float
    last_miss: Look | None


class Evaluate(Protocol):
    """Evaluates a snapshot by the target's metric."""

    def __call__(self, snapshot: HeldSnapshot, /, *, until: Certainty) -> Measurement:
        """Evaluate a snapshot to the required certainty, continuing an earlier evaluation.

        Args:
            snapshot: a snapshot held in memory.
            until: the required certainty of the outcome.
        """
        ...


class TargetSearch:
    """Decides when to look, and finds a hit right after a miss.

    Args:
        grid: the grid of snapshots, and how many may be held.
        target: the metric and the value to reach.
        evaluate: computes the target's metric.
        limit_s: the timed seconds after which nothing counts as a hit.
    """

    def __init__(
        self, grid: Grid, target: AnyTarget, evaluate: Evaluate, limit_s: float = math.inf
    ) -> None:
        self._grid, self._target = grid, target
        self._evaluate, self._limit_s = evaluate, limit_s
        self._waiting: list[HeldSnapshot] = []
        self._measurements = dict[int, Measurement]()
        """The latest measurement of each held snapshot, by its index."""
        self._before: Miss | None = None
        """The clear miss before the held snapshots."""
        self._part_before: HeldSnapshot | None = None
        """Its snapshot, if it was not evaluated on the whole split."""
        self._misses: list[Miss] = []
        self._last_look = 0
        self._best: Measurement | None = None
        self.hit: Hit | None = None

    def is_look_due(self, point: int) -> bool:
        """Whether the snapshot of a grid point must be a look."""
        if point >= self._grid.points or self._is_full:
            return True
        return self._grid.fraction(point) >= self._next_fraction()

    def keep(self, snapshot: HeldSnapshot) -> None:
        """Hold a snapshot until the next look; after a hit snapshots are not needed."""
        if self.hit is None:
            self._waiting.append(snapshot)

    def look(self, snapshot: HeldSnapshot, *, whole: bool = False) -> None:
        """Evaluate a snapshot, and search the held ones if it meets the target.

        Args:
            snapshot: the one for which the worker was stopped.
            whole: whether to evaluate the whole split in any case: at the end of the budget, and
                when a checkpoint is due, which cannot store snapshots.
        """
        self._last_look = snapshot.grid
        until: Certainty = "clear" if self._is_full else "likely"
        until = "whole" if whole or self._grid.kept == 1 else until
        self._waiting.append(snapshot)
        measurement = self._measure(place := len(self._waiting) - 1, until)
        if self.hit is None and self._target.is_met_by(measurement.value):
            self.hit = self._search()
            measurement = self._measurements[place]
        if not self._target.is_met_by(measurement.value):
            self._miss(snapshot, measurement)
        if self._target.is_met_by(measurement.value) or measurement.is_clear:
            self._forget()

    def _miss(self, snapshot: HeldSnapshot, measurement: Measurement) -> None:
        """Take note of a look that missed."""
        value = finite_or_none(measurement.value)
        miss = Miss(grid=snapshot.grid, timed_s=snapshot.timed_s, value=value)
        self._misses = [*self._misses, miss][-LOOKS_USED:]
        if measurement.is_clear:
            self._before = miss
            self._part_before = None if measurement.is_whole else snapshot

    def _forget(self) -> None:
        """Discard the held snapshots."""
        self._waiting.clear()
        self._measurements.clear()

    @property
    def _is_full(self) -> bool:
        """Whether there is room for only one more snapshot."""
        count = len(self._waiting) + (self._part_before is not None)
        return count + 1 >= self._grid.kept

    @property
    def best(self) -> float | None:
        """The best value on whole splits; on parts if no whole split was evaluated."""
        return self._best.value if self._best else None

    @property
    def is_settled(self) -> bool:
        """Whether no held snapshot is needed any more, so that a checkpoint can be written."""
        return not self._waiting and self._part_before is None

    def outcome(self) -> Outcome:
        """The fields of a `Result` about the target."""
        if (hit := self.hit) is None:
            return Outcome(best_metric=self.best)
        snapshot, miss = hit.snapshot, hit.last_miss
        return Outcome(
            time_to_target_s=crossing(miss, Look(snapshot.timed_s, hit.value), self._target),
            last_miss_s=miss.at if miss else 0.0,
            last_miss_metric=finite_or_none(miss.value) if miss else None,
            hit_s=snapshot.timed_s,
            hit_metric=hit.value,
            steps_to_target=snapshot.step,
            examples_to_target=snapshot.examples,
            best_metric=self.best,
        )

    def state(self) -> SearchState:
        """The state of a settled search, for a checkpoint."""
        return SearchState(
            misses=tuple(self._misses),
            last_look=self._last_look,
            best=self.best,
            is_best_whole=self._best is None or self._best.is_whole,
            hit=_hit_record(self.hit) if self.hit else None,
        )

    def resume(self, state: SearchState) -> None:
        """Continue from a state."""
        self._misses, self._last_look = list(state.misses), state.last_look
        self._before = self._misses[-1] if self._misses else None
        certainty: Certainty = "whole" if state.is_best_whole else "likely"
        self._best = None if state.best is None else Measurement(state.best, certainty)
        self.hit = _hit(state.hit) if state.hit else None

    def _next_fraction(self) -> float:
        """The fraction of the budget at which the next look is due."""
        is_curve_wanted = self.hit is not None or isinstance(self._target, BaselineTarget)
        if is_curve_wanted and self._last_look:  # it trains on, or its target is not known yet
            return max(self._grid.look_from, NEAR * self._grid.fraction(self._last_look))
        if not self._misses:
            return self._grid.look_from
        looks = [Look(self._grid.fraction(m.grid), or_nan(m.value)) for m in self._misses]
        return max(self._grid.look_from, next_look(looks, self._target))

    def _search(self) -> Hit | None:
        """Narrow down to a miss and a hit that are neighbours, both on the whole split; None if the
        hit is too late, or turns out not to be one.
        """
        times, turn = [snapshot.timed_s for snapshot in self._waiting], 0
        while (high := self._first_hit) is not None:
            low = max((place for place in self._measurements if place < high), default=-1)
            if high - low > 1:
                hit = Look(times[high], self._measurements[high].value)
                expected_s = crossing(self._look_at(low), hit, self._target)
                place = next_place(times, low, high, expected_s if turn < INTERPOLATIONS else None)
                self._measure(place, "likely")
                turn += 1
            elif not self._measurements[high].is_whole:
                self._measure(high, "whole")
            elif low >= 0 and not self._measurements[low].is_whole:
                self._measure(low, "whole")
            else:
                return self._hit(low, high) if self._is_in_time(times[high]) else None
        return None

    @property
    def _first_hit(self) -> int | None:
        """The index of the first snapshot that meets the target for certain or is likely to."""
        is_met = self._target.is_met_by
        return min((p for p, one in self._measurements.items() if is_met(one.value)), default=None)

    def _look_at(self, place: int) -> Look | None:
        """The measurement at an index; -1 is the clear miss before all held snapshots."""
        if place >= 0:
            return Look(self._waiting[place].timed_s, self._measurements[place].value)
        return Look(self._before.timed_s, or_nan(self._before.value)) if self._before else None

    def _hit(self, low: int, high: int) -> Hit:
        """The hit at an index, with the miss before it."""
        miss = self._look_at(low)
        if low < 0 and miss is not None and self._part_before is not None:
            miss = Look(miss.at, self._value(self._part_before, "whole").value)
        return Hit(self._waiting[high], self._measurements[high].value, miss)

    def _measure(self, place: int, until: Certainty) -> Measurement:
        """Evaluate the held snapshot at an index."""
        self._measurements[place] = measurement = self._value(self._waiting[place], until)
        return measurement

    def _is_in_time(self, timed_s: float) -> bool:
        return timed_s <= self._limit_s

    def _value(self, snapshot: HeldSnapshot, until: Certainty) -> Measurement:
        measurement = self._evaluate(snapshot, until=until)
        if math.isfinite(measurement.value):
            self._best = max((self._best or measurement), measurement, key=self._rank)
        return measurement

    def _rank(self, measurement: Measurement) -> tuple[bool, float]:
        """A sort key, larger is better; values on whole splits precede those on parts."""
        sign = 1.0 if self._target.direction == "maximize" else -1.0
        return measurement.is_whole, sign * measurement.value


def _hit_record(hit: Hit) -> RecordedHit:
    snapshot, miss = hit.snapshot, hit.last_miss
    return RecordedHit(
        grid=snapshot.grid,
        step=snapshot.step,
        timed_s=snapshot.timed_s,
        examples=snapshot.examples,
        value=hit.value,
        last_miss=(miss.at, finite_or_none(miss.value)) if miss else None,
    )


def _hit(record: RecordedHit) -> Hit:
    snapshot = HeldSnapshot(record.grid, record.step, record.timed_s, record.examples, {})
    miss = record.last_miss
    return Hit(snapshot, record.value, Look(miss[0], or_nan(miss[1])) if miss else None)
