"""Figures for papers: the report's in a column's width, and some of its tables as figures."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from harness.core.errors import HarnessError, UnknownNameError
from harness.core.text import label
from scoring.frame import finished_trials
from scoring.pool import critical_difference
from scoring.report.figures import curves_figure, profile_figure
from scoring.report.layout import legend_below, lines_of, panels
from scoring.report.style import INK, STYLE, Pens, pens
from scoring.report.tables import trial_table
from scoring.report.views import NAME, ROW, difference_figure, tuning_figure
from scoring.scoreboard import Scoreboard
from scoring.tuning import best_after_trials, sensitivity
from scoring.uncertainty import LEVEL, Uncertainty

Size = tuple[float, float]
WIDTHS: Mapping[str, Size] = {"column": (3.4, 2.5), "page": (6.9, 3.4)}
"""Width and height, in inches, of figures for one column and for a two-column page."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """The data of figures."""

    board: Scoreboard
    sure: Uncertainty | None
    frame: pd.DataFrame
    """The board's prepared trials."""
    curves: pd.DataFrame
    """Evaluations, probes and values claimed by workers."""
    size: Size

    @property
    def pen_of(self) -> Pens:
        """The pen of each entry, which determines its colour and dashes."""
        return pens(self.board.times.submissions)

    @property
    def ended_trials(self) -> pd.DataFrame:
        """The ended trials."""
        return finished_trials(self.frame)


def paper_figures(kind: str, drawing: Drawing) -> dict[str, Figure]:
    """The figures of a kind, by file name.

    Raises:
        HarnessError: there is no such kind, or the records lack the data for it.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of figure", kind, KINDS)
    figures = KINDS[kind](drawing)
    if not figures:
        raise HarnessError(
            f"these records have nothing to draw for '{kind}'", f"it needs {NEEDS[kind]}"
        )
    return figures


def encode(figure: Figure, format_: str) -> bytes:
    """A figure as the bytes of a file; equal figures produce identical bytes."""
    buffer = io.BytesIO()
    no_date = {"Date": None} if format_ == "svg" else {"CreationDate": None}
    with style.context(STYLE):
        figure.savefig(
            buffer, format=format_, dpi=300, metadata=None if format_ == "png" else no_date
        )
    return buffer.getvalue()


def _profile(drawing: Drawing) -> dict[str, Figure]:
    return {"profile": profile_figure(drawing.board, drawing.size)}


def _by_column(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(column): part for column, part in frame.groupby("column")}


def _curves(drawing: Drawing) -> dict[str, Figure]:
    trials = trial_table(drawing.frame).merge(drawing.frame[["identity", "column"]])
    return {
        f"curves-{column}": curves_figure(
            part, drawing.curves, column, drawing.pen_of, drawing.size
        )
        for column, part in _by_column(trials).items()
        if drawing.curves["identity"].isin(part["identity"]).any()
    }


def _tuning(drawing: Drawing) -> dict[str, Figure]:
    table = best_after_trials(drawing.ended_trials)
    if table.empty or table["trials"].max() < 2:
        return {}
    return {"tuning": tuning_figure(table, drawing.pen_of, drawing.size)}


def _ranks(drawing: Drawing) -> dict[str, Figure]:
    ranks = critical_difference(drawing.board)
    return {} if ranks is None else {"ranks": difference_figure(drawing.board, ranks, drawing.size)}


def _speedup(drawing: Drawing) -> dict[str, Figure]:
    """The speed-up over the reference with its interval, one line per entry."""
    board, items = drawing.board, drawing.sure.speedups if drawing.sure else ()
    rows = [row for row in reversed(board.order()) if items and items[row] is not None]
    if not rows:
        return {}
    with style.context(STYLE):
        height = max(drawing.size[1], NAME * len(rows) + 0.8)
        figure = Figure(figsize=(drawing.size[0], height), layout="constrained")
        axes = figure.subplots()
        for place, row in enumerate(rows):
            item, name = items[row], board.times.submissions[row]
            if item is None:
                continue
            low, middle, high = item.comparison.interval(LEVEL)
            colour = drawing.pen_of[name].colour
            axes.plot([low, high], [place, place], color=colour, linewidth=2)
            axes.plot(middle, place, "o", color=colour, markersize=4.5)
        axes.axvline(1.0, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_yticks(range(len(rows)), [label(board.times.submissions[row]) for row in rows])
        references = sorted({item.reference for item in items if item})
        axes.set(xscale="log", xlabel=label(f"speed-up over {', '.join(references)}"))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter("{x:g}")
    return {"speedup": figure}


def _sensitivity(drawing: Drawing) -> dict[str, Figure]:
    """The rank correlation of each hyperparameter with the time, by workload."""
    table = sensitivity(drawing.ended_trials)
    if table.empty:
        return {}
    columns = sorted(table["column"].unique())
    colours = {label(name): pen.colour for name, pen in drawing.pen_of.items()}
    names = sorted(table["hyperparameter"].unique())
    height = max(drawing.size[1], NAME * len(names) + 1.0)
    with style.context(STYLE):
        figure = Figure(figsize=(drawing.size[0], height), layout="constrained")
        axes = panels(
            figure, len(columns), NAME * len(names) + 0.6, "correlation with the time",
            share_y=True,
        )  # fmt: skip
        for panel, column in zip(axes, columns, strict=True):
            lowest = panel.get_xlabel()  # which seaborn replaces
            part = table[table["column"] == column]
            data = part.assign(entry=part["entry"].map(label))
            sns.stripplot(
                data, x="correlation", y="hyperparameter", hue="entry", palette=colours, ax=panel,
                order=names, hue_order=sorted(colours), legend=panel is axes[0], size=4.5,
                jitter=0.2,
            )  # fmt: skip
            panel.axvline(0.0, color=INK, linewidth=1)
            panel.set(title=label(column), xlabel=lowest, ylabel="", xlim=(-1.05, 1.05))
        keys, entries = axes[0].get_legend_handles_labels()
        if (own := axes[0].get_legend()) is not None:
            own.remove()
        legend_below(figure, keys, entries)
    return {"sensitivity": figure}


def _diagnostics(drawing: Drawing) -> dict[str, Figure]:
    """Training loss, gradient norm and other probes, one figure per workload."""
    others = drawing.curves[drawing.curves["split"].isin(["claimed", "probe", "test"])]
    trials = trial_table(drawing.frame).merge(drawing.frame[["identity", "column"]])
    scored_trials = trials[trials["counts"]]
    figures = {}
    for column, part in _by_column(scored_trials).items():
        points = others.merge(part[["identity", "entry"]], on="identity")
        if len(points):
            figures[f"diagnostics-{column}"] = _panels(points, column, drawing)
    return figures


def _panels(points: pd.DataFrame, column: str, drawing: Drawing) -> Figure:
    kinds = list(points.groupby(["split", "metric"], sort=True))
    with style.context(STYLE):
        figure = Figure(figsize=drawing.size, layout="constrained")
        axes = panels(figure, len(kinds), ROW)
        for panel, (kind, part) in zip(axes, kinds, strict=True):
            _draw_lines(panel, part, drawing.pen_of)
            panel.set_title(label(" ".join(map(str, kind))), fontsize=8.5)
        legend_below(figure, *lines_of(axes))
        figure.suptitle(label(f"{column}, by seconds"), fontsize=9.5)
    return figure


def _draw_lines(panel: Axes, points: pd.DataFrame, pen_of: Pens) -> None:
    values = points["value"].to_numpy(dtype=float)
    finite = values[np.isfinite(values)]
    for entry, of_entry in points.groupby("entry"):
        legend_label: str | None = label(str(entry))
        for _, line in of_entry.sort_values("time_s").groupby("identity"):
            pen = pen_of[str(entry)].line
            panel.plot(line["time_s"], line["value"], linewidth=1.1, label=legend_label, **pen)
            legend_label = None
    if len(finite) and finite.min() > 0 and finite.max() > 30 * finite.min():
        panel.set_yscale("log")


KINDS: Mapping[str, Callable[[Drawing], dict[str, Figure]]] = {
    "profile": _profile,
    "curves": _curves,
    "speedup": _speedup,
    "ranks": _ranks,
    "sensitivity": _sensitivity,
    "tuning": _tuning,
    "diagnostics": _diagnostics,
}
NEEDS = {
    "profile": "times",
    "curves": "evaluations in the records",
    "speedup": "several studies and the reference among the entries (--reference)",
    "ranks": "three entries on three workloads",
    "sensitivity": "four trials of an entry on a workload at points that differ",
    "tuning": "several trials of an entry on a workload",
    "diagnostics": "probes, test metrics or claims in the records",
}
"""The data that a kind of figure needs, in words."""
