"""Each entry's rank over the steps at its best point, by the measure's metric."""

from __future__ import annotations

import pandas as pd
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.figures.drawing import PANEL_HEIGHT, WIDTH, Drawing, legend, panels
from experiments.spec import Measure
from scoring.report.style import STYLE


def ranks_figure(drawing: Drawing) -> Figure:
    """The mean rank over instances, with rank 1 at the top; columns of panels are variants."""
    variants = drawing.form.variants
    ranks = ranks_of(drawing.best_evaluations, drawing.experiment.measure)
    with style.context(STYLE):
        figure = Figure(figsize=(WIDTH, PANEL_HEIGHT + 0.9), layout="constrained")
        (row,) = panels(figure, 1, len(variants), sharex=True, sharey=True)
        for panel, variant in zip(row, variants, strict=True):
            for name, pen in drawing.pens.items():
                own = ranks[(ranks["entry"] == name) & (ranks["variant"] == variant)]
                panel.plot(own["step"], own["rank"], label=name, linewidth=1.5, **pen.line)
            if len(variants) > 1:
                panel.set_title(variant.replace("_", " "), fontsize=9)
            panel.set_xlabel("step")
        row[0].set_ylabel(f"rank by {drawing.experiment.measure.metric.replace('_', ' ')}")
        row[0].set_ylim(len(drawing.pens) + 0.3, 0.7)
        row[0].yaxis.set_major_locator(MaxNLocator(integer=True))
        legend(figure, row[0])
    return figure


def ranks_of(evaluations: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """`entry`, `variant`, `step` and `rank`: the mean over instances, 1 for the best.

    Args:
        evaluations: of one point per entry; values that are not finite rank last.
        measure: gives the metric and its direction.
    """
    own = evaluations[evaluations["metric"] == measure.metric]
    is_low = measure.direction == "minimize"
    by_place = own.groupby(["variant", "instance", "step"])["value"]
    ranking = own.assign(rank=by_place.rank(ascending=is_low, na_option="bottom"))
    return ranking.groupby(["entry", "variant", "step"])["rank"].mean().reset_index()
