"""What breaks which submission, as a heat map at a column's width."""

from __future__ import annotations

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
"""Apart for the colour-blind, and by their lightness in print."""
WIDTH = 3.4
"""Inches: a column of a page of two."""
CELL = 0.105
"""The height of a row in inches."""
FONT = 5.6


def probes_figure(outcomes: pd.DataFrame) -> Figure:
    """A row for each submission, a column for each probe, those with the most passes first.

    Args:
        outcomes: see `experiments.probes.verdicts.outcomes_frame`.
    """
    codes = verdict_table(outcomes).map(VERDICTS.index)
    with style.context(STYLE):
        figure = Figure(figsize=(WIDTH, CELL * len(codes) + 1.5), layout="constrained")
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
        axes.tick_params(length=0, labelsize=FONT, pad=1, labelcolor=INK)
        axes.tick_params(axis="x", labelrotation=90)
        axes.tick_params(axis="y", labelrotation=0)
        patches = [Patch(color=COLOURS[verdict], label=verdict) for verdict in VERDICTS]
        figure.legend(
            handles=patches, loc="outside lower center", ncols=4, fontsize=FONT + 0.6,
            handlelength=1.0, columnspacing=1.2,
        )  # fmt: skip
    return figure


def verdict_table(outcomes: pd.DataFrame) -> pd.DataFrame:
    """Verdicts, one row a submission and one column a probe, those with the most passes first."""
    table = outcomes.pivot(index="submission", columns="probe", values="verdict")
    passes = table == "pass"
    rows = passes.sum(axis=1).sort_values(ascending=False, kind="stable").index
    columns = passes.sum(axis=0).sort_values(ascending=False, kind="stable").index
    sorted_table: pd.DataFrame = table.loc[rows, columns]
    return sorted_table
