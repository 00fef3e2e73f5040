"""The speed-up over the reference as a function of model width, in a width family of a workload.

Each width is a separate board: the baseline sets its target (`scoring.baselines`), the speed-up is
that of `scoring.speedup`, and the interval that of `scoring.uncertainty`. Width families do not
enter scores.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from harness.core.errors import HarnessError
from scoring.evaluate import score_results
from scoring.frame import prepare
from scoring.rules import Rules
from scoring.scoreboard import Scoreboard
from scoring.speedup import check_reference, factor, pair_limits, reference_rows
from scoring.uncertainty import LEVEL, assess

WIDTH = "width-"
"""The prefix of the names of width variants, as in `workloads.spec`."""


class WidthSpeedup(NamedTuple):
    """An entry at one width, against the reference at the same width."""

    workload: str
    width: int
    entry: str
    studies: int
    speedup: float
    mark: str
    """'>=' or '<=' if one of the two did not reach the target; '?' if neither did."""
    low: float
    """The ends of the interval; NaN with a single study."""
    high: float


def without_widths(frame: pd.DataFrame) -> pd.DataFrame:
    """The trials of a results frame that can be scored: those outside width families.

    Raises:
        HarnessError: there are only width families.
    """
    rest = frame[~_is_width(frame)]
    if rest.empty and not frame.empty:
        raise HarnessError(
            "all trials are of width families, which are not scored", "see: harness widths OUT"
        )
    return rest


def of_widths(frame: pd.DataFrame) -> pd.DataFrame:
    """The trials of a results frame within width families.

    Raises:
        HarnessError: there are no such trials.
    """
    family = frame[_is_width(frame)]
    if family.empty:
        raise HarnessError(
            "no trial is of a width family",
            "harness run --workload mlp --width 512 --submission NAME --out OUT",
        )
    return family


def width_speedups(
    frame: pd.DataFrame, rules: Rules, reference: str, allowed_rules: Collection[str] = ()
) -> list[WidthSpeedup]:
    """The speed-ups of all entries, except the reference, at all widths of a results frame.

    Args:
        frame: trials of width families, with the targets set by the baseline.
        rules: the scoring rules, of which workloads and held-out variants are ignored.
        reference: the submission that speed-ups are measured against.
        allowed_rules: as for `score_results`.

    Raises:
        HarnessError: as `score_results`; or the reference is missing at a width, or alone.
    """
    trials = prepare(frame)
    check_reference(reference, trials["entry"].unique())
    lines: list[WidthSpeedup] = []
    for column, part in frame.groupby(trials["column"]):
        own = rules.model_copy(update={"base": (str(column),), "held_out": {}})
        lines += _lines(score_results(part, own, allowed_rules=allowed_rules), part, reference)
    if not lines:
        raise HarnessError(
            f"{reference}, the reference, is alone at every width",
            "run another submission at the same widths: harness run --width N --submission NAME",
        )
    return sorted(lines)


def _lines(board: Scoreboard, part: pd.DataFrame, reference: str) -> Iterator[WidthSpeedup]:
    """The speed-ups at one width."""
    times, sure = board.times, assess(board, reference)
    workload, variant = str(part["workload"].iloc[0]), str(part["variant"].iloc[0])
    for row, other in enumerate(reference_rows(times.submissions, reference)):
        if other is None:
            raise HarnessError(
                f"{reference} has no trial on {board.base[0]}",
                "run it there: it is the reference and, as a rule, sets the target",
            )
        if row == other:
            continue
        limits = pair_limits(times, row, other)
        point = factor(board.medians[row], board.medians[other], limits)
        speedup = sure.speedups[row] if sure else None
        low, _, high = speedup.comparison.interval(LEVEL) if speedup else (math.nan,) * 3
        yield WidthSpeedup(
            workload=workload,
            width=int(variant.removeprefix(WIDTH)),
            entry=times.submissions[row],
            studies=int((~np.isnan(times.hit[row, 0])).sum()),
            speedup=point.overall,
            mark=point.marks[0],
            low=low,
            high=high,
        )


def _is_width(frame: pd.DataFrame) -> pd.Series[bool]:
    return frame["variant"].astype(str).str.startswith(WIDTH)
