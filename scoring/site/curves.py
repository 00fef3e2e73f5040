"""Curves as a page draws them: few points, without a visible change."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from scoring.site.scripts import short

POINTS = 240
"""At most as many points a curve as a chart of a page's width has columns of pixels, over four."""


def thinned(values: npt.NDArray[np.float64], points: int = POINTS) -> npt.NDArray[np.intp]:
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


def curves_of(trials: pd.DataFrame, by_trial: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """The curves of some trials: of each trial its series by split and metric."""
    return [
        {"id": identity[:16], "series": _series(by_trial[identity])}
        for identity in trials["identity"]
        if identity in by_trial
    ]


def by_trial(curves: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The points of each trial, in the order of training."""
    if curves.empty:
        return {}
    ordered = curves.sort_values(["identity", "time_s", "step"], kind="stable")
    return {str(identity): part for identity, part in ordered.groupby("identity", sort=False)}


def _series(points: pd.DataFrame) -> dict[str, list[list[float | None]]]:
    kinds = points["split"].astype(str) + " " + points["metric"].astype(str)
    columns = points[["time_s", "step", "value"]].to_numpy(dtype=np.float64)
    names = kinds.to_numpy()
    series = {}
    for name in sorted(set(names)):
        lines = columns[names == name]
        kept = lines[thinned(lines[:, 2])]
        series[name] = [[short(x, 6) for x in line] for line in kept.T.tolist()]
    return series
