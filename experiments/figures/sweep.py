"""The measure over a swept hyperparameter, the others at their best: one panel a variant."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures.drawing import WIDTH, Drawing, legend, log_if_wide, panels
from experiments.spec import Measure
from harness.core.text import label
from scoring.report.style import STYLE


def sweep_figure(drawing: Drawing) -> Figure:
    """Means over instances; a bar shows their range. Trials that did not train leave gaps."""
    over, measure = drawing.experiment.figure.over, drawing.experiment.measure
    variants = drawing.form.variants
    with style.context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
        (row,) = panels(figure, 1, len(variants), sharey=True)
        for panel, variant in zip(row, variants, strict=True):
            trials = drawing.trials[drawing.trials["variant"] == variant]
            _draw_panel(panel, trials, drawing, over)
            panel.set_xlabel(label(over.replace("_", " ")))
            if len(variants) > 1:
                panel.set_title(label(variant.replace("_", " ")), fontsize=9)
        row[0].set_ylabel(label(f"{measure.metric.replace('_', ' ')} at {_when(measure)}"))
        log_if_wide(row[0], drawing.trials["value"])
        legend(figure, row[0])
    return figure


def _when(measure: Measure) -> str:
    return "the end" if measure.at == "end" else "its best"


def _draw_panel(panel: Axes, trials: pd.DataFrame, drawing: Drawing, over: str) -> None:
    for name, pen in drawing.pens.items():
        own = best_over(trials[trials["entry"] == name], over, drawing.experiment.measure)
        if own.empty:
            continue
        shifts = np.array([own["mean"] - own["min"], own["max"] - own["mean"]])
        panel.errorbar(own.index, own["mean"], yerr=shifts, label=name, marker="o", markersize=4,
                       linewidth=1.3, capsize=2, **pen.line)  # fmt: skip
    values = pd.to_numeric(trials[over], errors="coerce").dropna()
    if len(values) and values.min() > 0 and values.max() > 8 * values.min():
        panel.set_xscale("log")
        panel.set_xticks(sorted(values.unique()), [f"{each:g}" for each in sorted(values.unique())])
        panel.minorticks_off()


def best_over(trials: pd.DataFrame, over: str, measure: Measure) -> pd.DataFrame:
    """By value of `over`: mean, min and max over instances, at the best of the other values."""
    swept = trials.dropna(subset=[over])
    table = swept.groupby([over, "point"])["value"].agg(["mean", "min", "max"]).reset_index()
    is_low = measure.direction == "minimize"
    chosen = table.sort_values("mean", ascending=is_low, kind="stable").drop_duplicates(over)
    finite: pd.DataFrame = chosen[np.isfinite(chosen["mean"])]
    return finite.set_index(over).sort_index()
