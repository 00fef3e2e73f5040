"""Metrics over steps at each entry's best point.

Columns of panels are variants, rows are metrics and lines are entries. If lines are metrics,
columns are entries and rows are variants.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures.drawing import PANEL_HEIGHT, WIDTH, Drawing, legend, log_if_wide, panels
from experiments.measures import mean
from experiments.spec import Measure
from harness.core.text import label
from scoring.report.style import STYLE

Looks = Mapping[str, dict[str, Any]]
"""The line style of each entry or metric."""


def curves_figure(drawing: Drawing) -> Figure:
    """The mean over instances, geometric if the measure's scale is; a band shows their range."""
    spec = drawing.experiment.figure
    metrics = spec.metrics or (drawing.experiment.measure.metric,)
    frame = drawing.best_evaluations
    frame = frame[frame["metric"].isin(metrics)]
    variants, entries = drawing.form.variants, tuple(drawing.pens)
    if spec.lines == "metric":
        colours = sns.color_palette("colorblind", len(metrics))
        looks = {metric: {"color": c} for metric, c in zip(metrics, colours, strict=True)}
        parts = (("variant", variants), ("entry", entries), ("metric", looks))
        return _figure(frame, *parts, drawing)
    looks = {name: pen.line for name, pen in drawing.pens.items()}
    parts = (("metric", metrics), ("variant", variants), ("entry", looks))
    return _figure(frame, *parts, drawing)


def _figure(
    frame: pd.DataFrame,
    rows: tuple[str, tuple[str, ...]],
    columns: tuple[str, tuple[str, ...]],
    lines: tuple[str, Looks],
    drawing: Drawing,
) -> Figure:
    """Panels by the values of two columns of the frame, with a line for each value of a third.

    The axis of steps is logarithmic where evaluations are geometrically spaced.
    """
    (by_row, row_names), (by_column, column_names), (by_line, looks) = rows, columns, lines
    names, measure = drawing.experiment.figure.names, drawing.experiment.measure
    with style.context(STYLE):
        figure = Figure(figsize=(WIDTH, PANEL_HEIGHT * len(row_names) + 0.7), layout="constrained")
        grid = panels(figure, len(row_names), len(column_names), sharex=True, sharey="row")
        for row, name in zip(grid, row_names, strict=True):
            of_row = frame[frame[by_row] == name]
            for panel, column in zip(row, column_names, strict=True):
                own = of_row[of_row[by_column] == column]
                _draw_lines(panel, own, by_line, looks, names=names, measure=measure)
            row[0].set_ylabel(_label(name, names))
            log_if_wide(row[0], of_row["value"])
        for panel, column in zip(grid[0], column_names, strict=True):
            if len(column_names) > 1:
                panel.set_title(_label(column, names), fontsize=9)
        for panel in grid[-1]:
            panel.set_xlabel("step")
            panel.set_xscale("log" if drawing.form.spacing == "geometric" else "linear")
        legend(figure, grid[0][0])
    return figure


def _draw_lines(
    panel: Axes,
    frame: pd.DataFrame,
    by_line: str,
    looks: Looks,
    *,
    names: Mapping[str, str],
    measure: Measure,
) -> None:
    for name, look in looks.items():
        own = frame[frame[by_line] == name].groupby("step")["value"]
        middle = own.agg(lambda values: mean(values.to_numpy(dtype=float), measure))
        low, high = own.min(), own.max()
        panel.plot(middle.index, middle, label=_label(name, names), linewidth=1.3, **look)
        if not low.equals(high):
            panel.fill_between(low.index, low, high, color=look["color"], alpha=0.15, linewidth=0)


def _label(name: str, names: Mapping[str, str]) -> str:
    return label(names.get(name, name.replace("_", " ")))
