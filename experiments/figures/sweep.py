"""The measure over a swept hyperparameter or the variants, at the best of the other values.

Panels are variants or entries; lines are entries, variants or another swept hyperparameter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures.drawing import (
    LEGEND_LETTER,
    PANEL_HEIGHT,
    WIDTH,
    Drawing,
    legend,
    log_if_wide,
    panels,
)
from experiments.measures import mean
from experiments.spec import Measure
from harness.core.text import label
from scoring.report.style import STYLE

MEASURE = "value"
"""The column of the measure; other metrics are in columns of their own names."""
SPREAD = 0.5
"""Where values have no order: the fraction of the distance between two of them over which the
points of all lines are spread.
"""
WIDE = 8
"""The ratio of the largest to the smallest value from which their axis is logarithmic."""


@dataclass(frozen=True)
class _Axis:
    """The horizontal axis: what is swept, and the position of each value.

    Args:
        over: the column of the frame with the swept values.
        places: the position of each value; texts are numbered.
        is_ordered: whether a line through the values is meaningful.
        names: the displayed names of variants.
    """

    over: str
    places: Mapping[Any, float]
    is_ordered: bool
    names: Mapping[str, str]


def sweep_figure(drawing: Drawing) -> Figure:
    """Means over instances; a bar shows their range. Trials that did not train leave gaps."""
    spec = drawing.experiment.figure
    metrics = spec.metrics or (MEASURE,)
    trials, axis = with_metrics(drawing, metrics), _axis(drawing)
    columns = _columns(drawing, trials)
    with style.context(STYLE):
        height = max(3.2, PANEL_HEIGHT * len(metrics) + 0.9)
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        grid = panels(figure, len(metrics), len(columns), sharex=True, sharey="row")
        for row, metric in zip(grid, metrics, strict=True):
            for panel, of_panel in zip(row, columns.values(), strict=True):
                _draw_panel(panel, of_panel, drawing, axis, metric)
            row[0].set_ylabel(label(_metric_label(metric, drawing)))
            log_if_wide(row[0], trials[metric])
        for panel, name in zip(grid[0], columns, strict=True):
            if len(columns) > 1:
                panel.set_title(label(_name(name, spec.names)), fontsize=9)
        for panel in grid[-1]:
            panel.set_xlabel(label(_name(axis.over, spec.names)))
        fullest = max(grid[0], key=lambda panel: len(panel.get_legend_handles_labels()[0]))
        is_swept = spec.lines not in ("entry", "variant")
        legend(figure, fullest, spec.lines.replace("_", " ") if is_swept else "")
    return figure


def with_metrics(drawing: Drawing, metrics: Sequence[str]) -> pd.DataFrame:
    """The trials with the last value of each further metric in a column of its own."""
    trials, keys = drawing.trials, ["entry", "variant", "instance", "point"]
    last = drawing.evaluations.sort_values("step").drop_duplicates([*keys, "metric"], keep="last")
    for metric in metrics:
        if metric != MEASURE:
            own = last[last["metric"] == metric].rename(columns={"value": metric})
            trials = trials.merge(own[[*keys, metric]], on=keys, how="left")
    return trials


def best_over(
    trials: pd.DataFrame, over: str, measure: Measure, column: str = MEASURE
) -> pd.DataFrame:
    """Mean, minimum and maximum of a column over instances for each value of `over`, where the
    other swept values are those that are best by the measure.

    Means of the measure are on its scale, as in `experiments.measures.best_points`.
    """
    rows = trials.dropna(subset=[over])
    by_point = rows.groupby([over, "point"], sort=False)
    table = by_point[column].agg(["mean", "min", "max"])
    table["by"] = by_point[MEASURE].agg(lambda values: mean(values, measure))
    if column == MEASURE:
        table["mean"] = table["by"]
    is_low = measure.is_lower_better
    ranking = table.reset_index().sort_values("by", ascending=is_low, kind="stable")
    best = ranking.drop_duplicates(over)
    finite: pd.DataFrame = best[np.isfinite(best["mean"]) & np.isfinite(best["by"])]
    return finite.set_index(over)


def _columns(drawing: Drawing, trials: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The trials of each column of panels; if variants are on the axis, all trials are in one."""
    spec = drawing.experiment.figure
    if spec.over == spec.panels:
        return {"": trials}
    names = drawing.form.variants if spec.panels == "variant" else tuple(drawing.pens)
    return {name: trials[trials[spec.panels] == name] for name in names}


def _axis(drawing: Drawing) -> _Axis:
    spec = drawing.experiment.figure
    if spec.over == "variant":
        places = {name: float(place) for place, name in enumerate(drawing.form.variants)}
        return _Axis(spec.over, places, is_ordered=True, names=spec.names)
    values = list(dict.fromkeys(drawing.trials[spec.over].dropna()))
    if all(isinstance(value, int | float | np.number) for value in values):
        return _Axis(spec.over, {v: float(v) for v in sorted(values)}, True, {})
    return _Axis(spec.over, {value: float(n) for n, value in enumerate(values)}, False, {})


def _draw_panel(
    panel: Axes, trials: pd.DataFrame, drawing: Drawing, axis: _Axis, metric: str
) -> None:
    lines = _lines(drawing)
    for number, (name, look) in enumerate(lines.items()):
        of_line = trials[trials[drawing.experiment.figure.lines] == name]
        own = best_over(of_line, axis.over, drawing.experiment.measure, metric)
        if own.empty:
            continue
        own = own.assign(place=[axis.places[value] for value in own.index]).sort_values("place")
        shift = 0.0 if axis.is_ordered else SPREAD * ((number + 0.5) / len(lines) - 0.5)
        bars = np.array([own["mean"] - own["min"], own["max"] - own["mean"]])
        line = look if axis.is_ordered else {**look, "linestyle": "none"}
        panel.errorbar(own["place"] + shift, own["mean"], yerr=bars, marker="o", markersize=4,
                       label=_name(name, drawing.experiment.figure.names),
                       linewidth=1.3, capsize=2, **line)  # fmt: skip
    _set_ticks(panel, axis)


def _lines(drawing: Drawing) -> dict[Any, dict[str, Any]]:
    """The style of each line: an entry's pen; numbers and variants go from dark to light."""
    over = drawing.experiment.figure.lines
    if over == "entry":
        return {name: pen.line for name, pen in drawing.pens.items()}
    values = list(dict.fromkeys(drawing.trials[over].dropna()))
    names = drawing.form.variants if over == "variant" else sorted(values)
    has_order = over == "variant" or not any(isinstance(value, str) for value in values)
    colours = sns.color_palette("viridis" if has_order else "colorblind", len(names) + 1)
    return {name: {"color": colour} for name, colour in zip(names, colours, strict=False)}


def _set_ticks(panel: Axes, axis: _Axis) -> None:
    places = list(axis.places.values())
    texts = [_name(value, axis.names) for value in axis.places]
    if axis.over == "variant" or not axis.is_ordered:
        is_long = sum(map(len, texts)) > 30
        panel.set_xticks(places, texts, rotation=30 if is_long else 0,
                         ha="right" if is_long else "center")  # fmt: skip
    elif places[0] > 0 and places[-1] > WIDE * places[0]:
        panel.set_xscale("log")
        if _fits(panel, texts):
            panel.set_xticks(places, texts)
            panel.minorticks_off()


def _fits(panel: Axes, texts: Sequence[str]) -> bool:
    """Whether texts that are spread evenly over the panel's width do not overlap."""
    spec = panel.get_subplotspec()
    columns = spec.get_gridspec().ncols if spec else 1
    return LEGEND_LETTER * (sum(map(len, texts)) + len(texts)) <= WIDTH / columns


def _name(value: object, names: Mapping[str, str]) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return names.get(str(value), str(value).replace("_", " "))


def _metric_label(metric: str, drawing: Drawing) -> str:
    measure = drawing.experiment.measure
    if metric != MEASURE:
        return f"{_name(metric, drawing.experiment.figure.names)} at the end"
    name = measure.metric.replace("_", " ")
    if measure.target is not None:
        return f"steps to {name} {measure.target:g}"
    return f"{name} at {'the end' if measure.at == 'end' else 'its best'}"
