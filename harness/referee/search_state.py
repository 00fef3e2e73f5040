"""The outcome of a target search, for a trial's result, and its state, for a checkpoint."""

from __future__ import annotations

from typing import NamedTuple

from workloads.spec import Frozen


class Outcome(NamedTuple):
    """The fields of a `Result` about the target; None for those without a value."""

    time_to_target_s: float | None = None
    last_miss_s: float | None = None
    last_miss_metric: float | None = None
    hit_s: float | None = None
    hit_metric: float | None = None
    steps_to_target: int | None = None
    examples_to_target: int | None = None
    best_metric: float | None = None


class Miss(Frozen):
    """A look that missed."""

    grid: int
    timed_s: float
    value: float | None
    """None if it was not finite."""


class RecordedHit(Frozen):
    """A hit without its parameters."""

    grid: int
    step: int
    timed_s: float
    examples: int
    value: float
    last_miss: tuple[float, float | None] | None


class SearchState(Frozen):
    """The state of a search that holds no snapshots."""

    misses: tuple[Miss, ...]
    """The most recent looks, which determine the next one."""
    last_look: int
    """The grid point of the last look."""
    best: float | None
    is_best_whole: bool = True
    """Whether the best value is from a whole split."""
    hit: RecordedHit | None
