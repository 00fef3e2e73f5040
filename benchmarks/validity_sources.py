"""Tables of study times whose true medians are known, with recorded noise or noise by formula."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from scoring.times import Array, Times

RECORDS = Path(__file__).parent / "records" / "quick_adamw.csv"
TRIALS = 3
"""Trials of a study in the suite `quick`."""


class Source(Protocol):
    """Draws the study times of an entry; two draws are of equal entries."""

    @property
    def name(self) -> str:
        """What the noise is of."""

    @property
    def limits(self) -> Array:
        """(W,): the longest a trial runs."""

    def draw(self, random: np.random.Generator, entries: int, studies: int) -> Array:
        """Study times (S, W, K) of equal entries, infinite beyond the limit."""


def table(
    source: Source, random: np.random.Generator, ratios: Sequence[float], studies: int
) -> Times:
    """Study times of entries whose times have the given `ratios`."""
    times = source.draw(random, len(ratios), studies) * np.asarray(ratios)[:, None, None]
    return as_times(np.where(times > source.limits[:, None], np.inf, times), source.limits)


def as_times(hit: Array, limits: Array) -> Times:
    """Study times (S, W, K) as a table whose trials ran up to limits (W,)."""
    s, w, k = (
        tuple(f"{axis}{i:02}" for i in range(n)) for axis, n in zip("swk", hit.shape, strict=True)
    )
    return Times(s, w, k, hit, hit.copy(), np.broadcast_to(limits, hit.shape[:2]).copy())


@dataclass(frozen=True)
class LogNormal:
    """Log-normal noise of the entry's own, and of the instance, which entries share."""

    workloads: int
    own: float = 0.15
    instance: float = 0.10
    heavy: bool = False
    """Whether the entry's own noise has a t distribution with three degrees of freedom."""

    @property
    def name(self) -> str:
        kind = "heavy tails" if self.heavy else "log-normal"
        return f"{kind}, {count(self.workloads)}"

    @property
    def limits(self) -> Array:
        return np.full(self.workloads, 1e6)

    def draw(self, random: np.random.Generator, entries: int, studies: int) -> Array:
        shape = (entries, self.workloads, studies)
        own = random.standard_t(3, shape) if self.heavy else random.standard_normal(shape)
        common = self.instance * random.standard_normal(shape[1:])
        return np.asarray(20 * np.exp(self.own * own + common))


@dataclass(frozen=True)
class Screenings:
    """The best of three trials, drawn from recorded trials at drawn points."""

    trials: Mapping[str, Array]
    """Steps to the target by workload, infinite if missed."""
    budgets: Mapping[str, float]

    @property
    def name(self) -> str:
        return f"recorded trials, {count(len(self.trials))}"

    @property
    def limits(self) -> Array:
        return np.array([self.budgets[name] for name in self.trials])

    def draw(self, random: np.random.Generator, entries: int, studies: int) -> Array:
        shape = (entries, studies, TRIALS)
        columns = [random.choice(steps, shape).min(axis=-1) for steps in self.trials.values()]
        return np.stack(columns, axis=1)

    def only(self, workload: str) -> Screenings:
        """The same on one workload."""
        return Screenings({workload: self.trials[workload]}, self.budgets)


@dataclass(frozen=True)
class PublishedStudies:
    """Studies drawn from the five that one entry published on each workload."""

    times: Times
    entry: int

    @property
    def name(self) -> str:
        return f"published studies, {count(len(self.times.workloads))}"

    @property
    def limits(self) -> Array:
        return longest(self.times)

    def draw(self, random: np.random.Generator, entries: int, studies: int) -> Array:
        own = self.times.hit[self.entry]
        picks = random.integers(own.shape[1], size=(entries, len(own), studies))
        return np.take_along_axis(np.broadcast_to(own, (entries, *own.shape)), picks, axis=2)


def longest(times: Times) -> Array:
    """(W,): the longest that any entry needed; a table of times has no other limits."""
    finite = np.where(np.isfinite(times.hit), times.hit, 0.0)
    return np.asarray(np.maximum(finite.max(axis=(0, 2)), 1.0))


def count(workloads: int) -> str:
    """How many workloads, in words."""
    return "1 workload" if workloads == 1 else f"{workloads} workloads"


def read_recorded(kind: str) -> pd.DataFrame:
    """Recorded trials of `adamw` on `quick`: `screening` at drawn points, `repeats` at the tuned
    point.
    """
    frame = pd.read_csv(RECORDS)
    return frame[frame["kind"] == kind]


def recorded_screenings() -> Screenings:
    """The source of all recorded trials at drawn points."""
    groups = list(read_recorded("screening").groupby("workload"))
    return Screenings(
        {str(name): part["steps_to_target"].to_numpy(float) for name, part in groups},
        {str(name): float(part["budget_steps"].iloc[0]) for name, part in groups},
    )


def screening_noise() -> float:
    """Standard deviation of the log steps of the best of three: root mean square over workloads.

    Exact for draws with replacement from the recorded trials, with a miss counted at its budget:
    the i-th of n is the least of three drawn with probability ((n - i + 1)^3 - (n - i)^3) / n^3.
    """
    source = recorded_screenings()
    variances = []
    for (_, steps), budget in zip(source.trials.items(), source.limits, strict=True):
        logs = np.log(np.sort(np.minimum(steps, budget)))
        above = (np.arange(len(logs), -1, -1) / len(logs)) ** TRIALS
        weights = above[:-1] - above[1:]
        variances.append(weights @ (logs - weights @ logs) ** 2)
    return float(np.sqrt(np.mean(variances)))
