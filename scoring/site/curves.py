"""Curves as a page draws them: few points, without a visible change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from scoring.site.scripts import short

POINTS = 240
"""At most as many points a curve as a chart of a page's width has columns of pixels, over four."""


def thin(values: npt.NDArray[np.float64], points: int = POINTS) -> npt.NDArray[np.intp]:
    """The places of a curve's values to keep: of each stretch the ends, the least, the greatest.

    A chart that is `points / 4` pixels wide shows the same of both: each column of it is filled
    from the least to the greatest value.
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
    """The points of one trial's curves, in the order of training."""

    kinds: npt.NDArray[np.object_]
    """Split and metric of each."""
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
    """The curves of some trials: of each trial its series by split and metric."""
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
