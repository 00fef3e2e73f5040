"""Report figures that need several studies, entries or trials."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from harness.core.text import label
from scoring.frame import finished_trials
from scoring.pool import CriticalDifference, critical_difference
from scoring.relaxation import relaxation_curve
from scoring.report.figures import SIZE, curves_figure, data_uri, profile_figure
from scoring.report.layout import legend, legend_below, lines_of, panels
from scoring.report.style import INK, STYLE, Pens, pens
from scoring.scoreboard import Scoreboard
from scoring.tuning import best_after_trials

ROW = 1.5
"""The height of each row of panels from the second on, in inches."""
NAME = 0.19
"""The height of a line with a name, in inches."""


def figures_of(
    board: Scoreboard, frame: pd.DataFrame, trials: pd.DataFrame, curves: pd.DataFrame
) -> Mapping[str, str]:
    """All figures of a report by title; figures whose data are missing are omitted."""
    pen_of = pens(board.times.submissions)
    figures = {"Performance profile": profile_figure(board)}
    for (workload, variant), part in trials.groupby(["workload", "variant"]):
        if curves["identity"].isin(part["identity"]).any():
            name = str(workload) if variant == "base" else f"{workload}, {variant}"
            figures[f"Curves of {name}"] = curves_figure(part, curves, name, pen_of)
    ranks = critical_difference(board)
    if ranks is not None:
        figures["Critical difference"] = difference_figure(board, ranks)
    finished_frame = finished_trials(frame)
    if finished_frame.groupby(["entry", "column"]).size().max() > 1:
        figures["Cost of tuning"] = tuning_figure(best_after_trials(finished_frame), pen_of)
    if len(board.scores) > 1 and not curves.empty and board.clock.name == "seconds":
        curve = relaxation_curve(finished_frame, curves, board.rules)
        figures["Target relaxation"] = relaxation_figure(curve, pen_of)
    return {title: data_uri(figure) for title, figure in figures.items()}


def difference_figure(
    board: Scoreboard, ranks: CriticalDifference, size: tuple[float, float] = SIZE
) -> Figure:
    """Mean ranks over workloads, with bars over groups within the critical difference."""
    order = np.argsort(ranks.mean_ranks, kind="stable")
    values = ranks.mean_ranks[order]
    with style.context(STYLE):
        height = max(size[1], NAME * len(order) + 1.0)
        figure = Figure(figsize=(size[0], height), layout="constrained")
        axes = figure.subplots()
        heights = np.arange(len(order), 0, -1)
        axes.hlines(heights, 1, values, color="#d3d9e3", linewidth=1)
        pen_of = pens(board.times.submissions)
        names = [board.times.submissions[row] for row in order]
        axes.scatter(values, heights, s=46, color=[pen_of[name].colour for name in names], zorder=3)
        axes.set_yticks(heights, [label(name) for name in names])
        for place, (start, stop) in enumerate(same_groups(values, ranks.difference)):
            x = len(order) + 0.25 + 0.18 * place
            axes.plot([x, x], [heights[start], heights[stop]], color=INK, linewidth=3)
        width = min(ranks.difference, float(len(order)))
        figure.suptitle(
            f"Critical difference {width:.2f} at 10 %\n(Friedman p = {ranks.p_value:.2g})",
            fontsize=9.5,
        )
        axes.set(
            xlabel="mean rank by time",
            xlim=(0.8, len(order) + 1.2),
            ylim=(0.4, len(order) + 0.6),
        )
        return figure


def same_groups(values: np.ndarray, difference: float) -> list[tuple[int, int]]:
    """First and last indices of the maximal runs of sorted values within a difference."""
    groups: list[tuple[int, int]] = []
    for start in range(len(values)):
        stop = int(np.searchsorted(values, values[start] + difference, side="right")) - 1
        if stop > start and (not groups or stop > groups[-1][1]):
            groups.append((start, stop))
    return groups


def tuning_figure(table: pd.DataFrame, pen_of: Pens, size: tuple[float, float] = SIZE) -> Figure:
    """The expected best time after k trials, one panel per workload."""
    columns = sorted(table["column"].unique())
    with style.context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes = panels(figure, len(columns), ROW, "trials spent on tuning")
        for panel, column in zip(axes, columns, strict=True):
            for entry, part in table[table["column"] == column].groupby("entry"):
                panel.plot(
                    part["trials"], part["expected_s"], marker="o", markersize=3.5, linewidth=1.5,
                    label=label(str(entry)), **pen_of[str(entry)].line,
                )  # fmt: skip
            panel.set_title(label(column))
            panel.set_ylim(bottom=0)
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        legend_below(figure, *lines_of(axes))
        figure.supylabel("expected best time, s", fontsize=9.5)
        return figure


def relaxation_figure(
    table: pd.DataFrame, pen_of: Pens, size: tuple[float, float] = SIZE
) -> Figure:
    """Scores against the target's shift; ranks change where lines cross."""
    with style.context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        axes: Axes = figure.subplots()
        for name, part in table.groupby("submission"):
            axes.plot(
                100 * part["easier_by"], part["score"], linewidth=1.7,
                label=label(str(name)), **pen_of[str(name)].line,
            )  # fmt: skip
        axes.axvline(0, color=INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.set(
            xlabel="target made easier by, %", ylabel="score", title="If the target were another",
            ylim=(-0.03, 1.05),
        )  # fmt: skip
        legend(figure, axes)
        return figure
