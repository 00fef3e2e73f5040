"""Report figures: learning curves and performance profiles, embedded in a page."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from harness.core.text import label
from scoring.profile import profile
from scoring.report.layout import legend
from scoring.report.style import INK, STYLE, Pens, pens
from scoring.scoreboard import Scoreboard

SIZE = (6.4, 3.9)
"""A figure's width and height on a page, in inches."""
AS_SHAPES = 1000
"""Maximum number of curves drawn as vector shapes; more would take many megabytes."""
SOLID = {"linewidth": 1.7, "alpha": 1.0}
FAINT = {"linewidth": 0.9, "alpha": 0.35}
Lines = npt.NDArray[np.float64]


def data_uri(figure: Figure) -> str:
    """Encode a figure as a data URI."""
    buffer = io.BytesIO()
    with style.context(STYLE):
        figure.savefig(buffer, format="svg", dpi=200, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def curves_figure(
    frame: pd.DataFrame,
    curves: pd.DataFrame,
    workload: str,
    pen_of: Pens,
    size: tuple[float, float] = SIZE,
) -> Figure:
    """Validation metric against time for every trial on one workload, with the target.

    The best trial of each study is drawn solid, the others faint; a dot marks the hit. `frame` has
    the workload's trials with a column `counts` (`trial_table`). More than `AS_SHAPES` trials are
    drawn as pixels.
    """
    first = frame.iloc[0]
    lines = _lines(frame, curves, str(first["metric"]))
    as_shapes = len(lines) <= AS_SHAPES
    with style.context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        for counts in (False, True):
            for entry, trials in frame[frame["counts"].eq(counts)].groupby("entry", sort=False):
                trial_lines = [lines[key] for key in trials["identity"] if key in lines]
                look = pen_of[str(entry)].line | (SOLID if counts else FAINT)
                name = label(str(entry)) if counts else None
                _draw(axes, trial_lines, name, look, as_shapes=as_shapes)
        hits = frame[frame["counts"] & frame["state"].eq("reached")]
        for entry, trials in hits[hits["identity"].isin(list(lines))].groupby("entry", sort=False):
            axes.plot(
                trials["time_to_target_s"], trials["target"], "o",
                color=pen_of[str(entry)].colour, rasterized=not as_shapes,
            )  # fmt: skip
        axes.autoscale_view()
        axes.axhline(first["target"], color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            f"target {first['target']:g}", (1.0, first["target"]), xytext=(-4, 4),
            xycoords=("axes fraction", "data"), textcoords="offset points", ha="right", color=INK,
        )  # fmt: skip
        axes.set(
            xlabel="training time, s",
            ylabel=label(f"validation {first['metric']}"),
            title=label(workload),
        )
        legend(figure, axes, loc="best" if as_shapes else "lower right")
        return figure


def _lines(frame: pd.DataFrame, curves: pd.DataFrame, metric: str) -> dict[str, Lines]:
    """Each trial's curve if it has one, (points, 2): seconds and metric."""
    rows = curves[
        curves["split"].eq("validation")
        & curves["metric"].eq(metric)
        & curves["identity"].isin(frame["identity"])
    ].sort_values(["identity", "time_s"], kind="stable")
    points = rows[["time_s", "value"]].to_numpy(dtype=np.float64)
    codes, names = pd.factorize(rows["identity"])
    return dict(zip(names, np.split(points, np.flatnonzero(np.diff(codes)) + 1), strict=False))


def _draw(
    axes: Axes, lines: list[Lines], name: str | None, look: dict[str, Any], *, as_shapes: bool
) -> None:
    """Draw curves in the same style, with one name in the legend; None for no name."""
    if as_shapes:
        for place, line in enumerate(lines):
            axes.plot(line[:, 0], line[:, 1], label=None if place else name, **look)
    elif lines:
        axes.add_collection(LineCollection(lines, label=name, rasterized=True, **look))


def profile_figure(board: Scoreboard, size: tuple[float, float] = SIZE) -> Figure:
    """The performance profile: the fraction of workloads within a factor tau of the best."""
    taus = np.unique(np.concatenate([np.linspace(1, board.rules.tau_max, 400), _steps(board)]))
    fractions = profile(board.ratios, taus)
    with style.context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots()
        pen_of = pens(board.times.submissions)
        widths = np.linspace(3.2, 1.4, len(fractions))
        for width, row in zip(widths, board.order(), strict=True):
            name = board.times.submissions[row]
            text = label(f"{name}  {board.scores[row]:.3f}")
            axes.step(taus, fractions[row], where="post", lw=width, label=text, **pen_of[name].line)
        axes.set(
            xlabel=f"factor of the best {board.clock.name}, \u03c4",
            ylabel="fraction of workloads",
            title="Performance profile",
            ylim=(-0.03, 1.05),
            xlim=(1, board.rules.tau_max),
        )
        legend(figure, axes, "score")
        return figure


def _steps(board: Scoreboard) -> np.ndarray:
    inside = board.ratios[np.isfinite(board.ratios)]
    return np.asarray(inside[inside <= board.rules.tau_max])
