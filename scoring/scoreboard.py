"""Scoreboard of a table of times: times, ratios, scores and their ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from harness.core.errors import HarnessError
from scoring.clock import CLOCKS, Clock
from scoring.profile import (
    base_workloads,
    integrate,
    median_times,
    ratios_to_best,
    score_medians,
    settle_missing,
    times_by_rules,
)
from scoring.rules import Rules
from scoring.times import Array, Times


@dataclass(frozen=True, eq=False)
class Scoreboard:
    """Scores of S entries over B base workloads."""

    times: Times
    rules: Rules
    clock: Clock
    medians: Array
    """(S, W): the median study time of every column of `times`, held-out variants included."""
    base_times: Array
    """(S, B): the base workloads' times after applying all rules."""
    ratios: Array
    """(S, B): times over the best of the column."""
    scores: Array
    """(S,)"""
    ranges: Array
    """(S, 2): lowest and highest score if each time lies anywhere in [last miss, hit]."""
    flags: tuple[str, ...]
    contents: Mapping[str, int] = field(default_factory=dict)
    """The number of contents tried under each entry's name; empty for a table of times."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """The mark of each entry (`harness.core.marks`); empty for a table of times."""
    unranked_entries: pd.DataFrame = field(default_factory=pd.DataFrame)
    """The unranked entries (`scoring.standing.unranked_table`)."""

    @property
    def base(self) -> tuple[str, ...]:
        """The workloads that the score averages over."""
        return base_workloads(self.times.workloads, self.rules)

    @property
    def base_columns(self) -> list[int]:
        """The columns of `times` that are base workloads, in the order of `base`."""
        workloads = self.times.workloads
        return [workloads.index(name) for name in self.base if name in workloads]

    @property
    def is_screening(self) -> bool:
        """Whether no entry has more than one study of any workload; ratios are then shown without
        ranks.
        """
        return bool((~np.isnan(self.times.hit)).sum(axis=-1).max(initial=0) < 2)

    def order(self) -> list[int]:
        """Rows from best to worst score; ties by name."""
        return sorted(range(len(self.scores)), key=lambda row: (-self.scores[row], row))

    def to_json(self) -> dict[str, Any]:
        """Everything at full precision, for JSON; infinite times are null."""
        names = self.times.submissions
        return {
            "scores": dict(zip(names, self.scores.tolist(), strict=True)),
            "score_ranges": dict(zip(names, self.ranges.tolist(), strict=True)),
            "clock": {"name": self.clock.name, "said_by": self.clock.said_by},
            "screening": self.is_screening,
            "flags": list(self.flags),
            "contents": dict(sorted(self.contents.items())),
            "marks": dict(sorted(self.marks.items())),
            "unranked": _rows(self.unranked_entries),
            "workloads": list(self.base),
            "median_times": _by_name(names, self.times.workloads, self.medians),
            "ratios": _by_name(names, self.base, self.ratios),
            "rules": self.rules.model_dump(mode="json"),
        }


def _rows(table: pd.DataFrame) -> list[dict[str, object]]:
    """The rows of a table; non-finite numbers are null."""
    return [
        {
            str(key): None if isinstance(value, float) and not np.isfinite(value) else value
            for key, value in line.items()
        }
        for line in table.to_dict("records")
    ]


def _by_name(
    rows: tuple[str, ...], columns: tuple[str, ...], values: Array
) -> dict[str, dict[str, float | None]]:
    return {
        row: {
            column: float(value) if np.isfinite(value) else None
            for column, value in zip(columns, line, strict=True)
        }
        for row, line in zip(rows, values, strict=True)
    }


def score_times(
    times: Times, rules: Rules, clock: Clock = CLOCKS["seconds"], flags: tuple[str, ...] = ()
) -> Scoreboard:
    """Score study times under the given rules.

    Raises:
        HarnessError: there are no study times, or none of a base workload.
    """
    if not times.hit.size:
        raise HarnessError(
            "there is no study time to score",
            "a table needs at least one row, and a folder of records one trial that has ended",
        )
    if not base_workloads(times.workloads, rules):
        raise HarnessError(
            f"there are only held-out variants: {', '.join(times.workloads)}; they count only "
            "with their base",
            "run their base too: the same `harness run` commands without --variant",
        )
    medians = median_times(settle_missing(times.hit, rules))
    base_times = times_by_rules(medians, times.workloads, rules)
    ratios = ratios_to_best(base_times)
    scores = integrate(ratios, rules)
    ranges = score_ranges(times, rules, medians)
    return Scoreboard(times, rules, clock, medians, base_times, ratios, scores, ranges, flags)


def score_ranges(times: Times, rules: Rules, medians: Array) -> Array:
    """The range of each score over the intervals [last miss, hit], (S, 2).

    A score decreases with the entry's own times and increases with the others', so it is extreme
    when the entry's times are at one end of their intervals and all other times at the opposite
    end.
    """
    early, late = (median_times(settle_missing(e, rules)) for e in (times.miss, times.latest))
    if np.array_equal(early, late):
        scores = score_medians(medians, times.workloads, rules)
        return np.stack([scores, scores], axis=-1)
    ranges = np.empty((len(medians), 2))
    for row in range(len(medians)):
        own = (np.arange(len(medians)) == row)[:, None]
        for end, (mine, theirs) in enumerate(((late, early), (early, late))):
            mixture = np.where(own, mine, theirs)
            ranges[row, end] = score_medians(mixture, times.workloads, rules)[row]
    return ranges
