"""A heat map of the probes that each submission passes, for a column or a page."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
import seaborn as sns
from matplotlib import style
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.probes.verdicts import VERDICTS, Verdict
from harness.core.text import label
from scoring.report.style import INK, STYLE

COLOURS: dict[Verdict, str] = {
    "pass": "#e8eef4",
    "fail": "#e69f00",
    "diverged": "#b2182b",
    "crashed": "#3b3b3b",
}
"""Colour-blind readers can tell them apart, and so can lightness in print."""


class Size(NamedTuple):
    """The dimensions of the heat map."""

    width: float
    """The figure's width in inches."""
    cell: float
    """The height of a row in inches."""
    below: float
    """The height of what is below the rows in inches: the probes' names and the legend."""
    font: float
    """The size of names in points."""


COLUMN_SIZE = Size(3.4, 0.105, 1.5, 5.6)
"""For one column of a two-column page."""
PAGE_SIZE = Size(6.9, 0.165, 2.2, 8.4)
"""For a full page, on paper or on a site."""


def probes_figure(outcomes: pd.DataFrame, size: Size = COLUMN_SIZE) -> Figure:
    """One row per submission and one column per probe; those with the most passes come first.

    Args:
        outcomes: see `experiments.probes.verdicts.outcomes_frame`.
        size: the dimensions.
    """
    codes = verdict_table(outcomes).map(VERDICTS.index)
    with style.context(STYLE):
        figure = Figure(
            figsize=(size.width, size.cell * len(codes) + size.below), layout="constrained"
        )
        axes = figure.subplots()
        sns.heatmap(
            codes,
            ax=axes,
            cmap=ListedColormap([COLOURS[verdict] for verdict in VERDICTS]),
            vmin=-0.5,
            vmax=len(VERDICTS) - 0.5,
            cbar=False,
            linewidths=0.4,
            linecolor="white",
            xticklabels=[label(str(name).replace("_", " ")) for name in codes.columns],
            yticklabels=[label(str(name)) for name in codes.index],
        )
        axes.set(xlabel="", ylabel="")
        axes.grid(visible=False)
        axes.tick_params(length=0, labelsize=size.font, pad=1, labelcolor=INK)
        axes.tick_params(axis="x", labelrotation=90)
        axes.tick_params(axis="y", labelrotation=0)
        patches = [Patch(color=COLOURS[verdict], label=verdict) for verdict in VERDICTS]
        figure.legend(
            handles=patches, loc="outside lower center", ncols=4, fontsize=size.font + 0.6,
            handlelength=1.0, columnspacing=1.2,
        )  # fmt: skip
    return figure


def verdict_table(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Verdicts, with one row per submission and one column per probe; those with the most passes
    come first.
    """
    table = outcomes.pivot(index="submission", columns="probe", values="verdict")
    passes = table == "pass"
    rows = passes.sum(axis=1).sort_values(ascending=False, kind="stable").index
    columns = passes.sum(axis=0).sort_values(ascending=False, kind="stable").index
    sorted_table: pd.DataFrame = table.loc[rows, columns]
    return sorted_table
