"""Thin out curves for a page, without a visible change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from scoring.site.scripts import short

POINTS = 240
"""The maximum number of points per curve: four per pixel column of a page-wide chart."""


def thin(values: npt.NDArray[np.float64], points: int = POINTS) -> npt.NDArray[np.intp]:
    """The indices of a curve's points to keep: first, last, smallest and largest of each stretch.

    A chart of `points / 4` pixels' width looks the same, since each pixel column is filled from its
    smallest to its largest value.
    """
    if len(values) <= points:
        return np.arange(len(values))
    keep: set[int] = set()
    for stretch in np.array_split(np.arange(len(values)), points // 4):
        finite = stretch[np.isfinite(values[stretch])]
        extremes = (
            [finite[np.argmin(values[finite])], finite[np.argmax(values[finite])]]
            if len(finite)
            else []
        )
        keep.update(map(int, (stretch[0], stretch[-1], *extremes)))
    return np.array(sorted(keep), dtype=np.intp)


@dataclass(frozen=True, eq=False)
class Points:
    """The points of one trial's curves, in order of time."""

    kinds: npt.NDArray[np.object_]
    """The (split, metric) of each curve."""
    values: npt.NDArray[np.float64]
    """(points, 3): time in seconds, step, value."""


def by_trial(curves: pd.DataFrame) -> dict[str, Points]:
    """The points of each trial."""
    if curves.empty:
        return {}
    rows = curves.sort_values(["identity", "time_s", "step"], kind="stable")
    identities = rows["identity"].to_numpy(dtype=np.object_)
    kinds = (rows["split"].astype(str) + " " + rows["metric"].astype(str)).to_numpy(
        dtype=np.object_
    )
    values = rows[["time_s", "step", "value"]].to_numpy(dtype=np.float64)
    starts = [0, *(np.flatnonzero(identities[1:] != identities[:-1]) + 1)]
    ends = [*starts[1:], len(identities)]
    return {
        str(identities[start]): Points(kinds[start:end], values[start:end])
        for start, end in zip(starts, ends, strict=True)
    }


def curves_of(trials: pd.DataFrame, points: Mapping[str, Points]) -> list[dict[str, object]]:
    """The curves of some trials: for each trial, its series by split and metric."""
    return [
        {"id": identity[:16], "series": _series(points[identity])}
        for identity in trials["identity"]
        if identity in points
    ]


def _series(points: Points) -> dict[str, list[list[float | None]]]:
    series = {}
    for kind in sorted(set(points.kinds)):
        lines = points.values[points.kinds == kind]
        points_to_draw = lines[thin(lines[:, 2])]
        series[str(kind)] = [[short(x, 6) for x in line] for line in points_to_draw.T.tolist()]
    return series
