"""What a search for the target leaves: in a trial's result, and in a checkpoint, to go on from."""

from __future__ import annotations

from typing import NamedTuple

from workloads.spec import Frozen


class Outcome(NamedTuple):
    """What a `Result` has of the target; None for what there was not."""

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
    """What a search with no snapshot in hand goes on from."""

    misses: tuple[Miss, ...]
    """The last looks, as far as the next one goes by them."""
    last_look: int
    """The grid point of the last look."""
    best: float | None
    is_best_whole: bool = True
    """Whether the best is a whole split's."""
    hit: RecordedHit | None
