"""Metrics over steps at each entry's best point: a column of panels a variant, a row a metric."""

from __future__ import annotations

import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures.drawing import PANEL_HEIGHT, WIDTH, Drawing, legend, log_if_wide, panels
from harness.core.text import label
from scoring.report.style import STYLE


def curves_figure(drawing: Drawing) -> Figure:
    """The mean over instances; a band shows their range."""
    metrics = drawing.experiment.figure.metrics or (drawing.experiment.measure.metric,)
    variants = drawing.form.variants
    with style.context(STYLE):
        figure = Figure(figsize=(WIDTH, PANEL_HEIGHT * len(metrics) + 0.7), layout="constrained")
        grid = panels(figure, len(metrics), len(variants), sharex=True, sharey="row")
        for row, metric in zip(grid, metrics, strict=True):
            frame = drawing.best_evaluations
            of_metric = frame[frame["metric"] == metric]
            for panel, variant in zip(row, variants, strict=True):
                _draw_lines(panel, of_metric[of_metric["variant"] == variant], drawing)
            row[0].set_ylabel(label(metric.replace("_", " ")))
            log_if_wide(row[0], of_metric["value"])
        for panel, variant in zip(grid[0], variants, strict=True):
            panel.set_title(label(variant.replace("_", " ")), fontsize=9)
        for panel in grid[-1]:
            panel.set_xlabel("step")
        legend(figure, grid[0][0])
    return figure


def _draw_lines(panel: Axes, frame: pd.DataFrame, drawing: Drawing) -> None:
    for name, pen in drawing.pens.items():
        own = frame[frame["entry"] == name].groupby("step")["value"]
        middle, low, high = own.mean(), own.min(), own.max()
        panel.plot(middle.index, middle, label=name, linewidth=1.3, **pen.line)
        if not low.equals(high):
            panel.fill_between(low.index, low, high, color=pen.colour, alpha=0.15, linewidth=0)
