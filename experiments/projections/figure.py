"""Images before and after the projection, errors and distances over its dimension."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures.drawing import WIDTH
from experiments.projection_spec import ProjectionExperiment
from experiments.projections.measure import METHODS, Images, reconstruct
from scoring.report.style import INK, STYLE, pens
from workloads.data.projection import Doubles

COLUMNS = 8
SIDE = 32


def projection_figure(
    experiment: ProjectionExperiment, images: Images, errors: pd.DataFrame, spread: pd.DataFrame
) -> Figure:
    """Rows of images above two panels.

    Args:
        experiment: gives the dimension at which images are drawn.
        images: the first held-out ones are drawn.
        errors: see `measure.errors`.
        spread: see `measure.distances`.
    """
    with style.context(STYLE):
        figure = Figure(figsize=(WIDTH, 6.2), layout="constrained")
        parts = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.25, 1.0))
        above, below = parts[0, 0], parts[1, 0]
        images_by_method = {"original": images.held_out} | {
            method: reconstruct(images, method, experiment.shown) for method in METHODS
        }
        grid = above.subplots(len(images_by_method), COLUMNS)
        for row, (name, values) in zip(grid, images_by_method.items(), strict=True):
            _draw_row(row, name, values)
        left, right = below.subplots(1, 2)
        _draw_errors(left, errors, experiment.stated_error)
        _draw_distances(right, spread)
    return figure


def _draw_row(row: np.ndarray, name: str, values: Doubles) -> None:
    for panel, pixels in zip(row, values, strict=False):
        panel.imshow(np.clip(pixels.reshape(3, SIDE, SIDE).transpose(1, 2, 0), 0.0, 1.0))
        panel.set(xticks=[], yticks=[])
        panel.spines[:].set_visible(False)
    row[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=8.5)


def _draw_errors(panel: Axes, errors: pd.DataFrame, limit: float) -> None:
    pens_of = pens(METHODS)
    for method in METHODS:
        own = errors[errors["method"] == method]
        panel.plot(own["dimension"], own["error"], "o-", markersize=4, label=method,
                   color=pens_of[method].colour)  # fmt: skip
    panel.axhline(limit, color=INK, linewidth=1, linestyle=(0, (4, 3)), label="thesis")
    panel.set(yscale="log", xlabel="dimensions", ylabel="squared error a pixel")
    _set_dimensions(panel, errors["dimension"])
    panel.legend(fontsize=7.5)


def _draw_distances(panel: Axes, spread: pd.DataFrame) -> None:
    shifts = np.array([spread["median"] - spread["low"], spread["high"] - spread["median"]])
    panel.errorbar(
        spread["dimension"], spread["median"], yerr=shifts, fmt="o", color=INK, capsize=3
    )
    panel.axhline(1.0, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    panel.set(xlabel="dimensions", ylabel="squared distance kept")
    _set_dimensions(panel, spread["dimension"])


def _set_dimensions(panel: Axes, values: pd.Series[int]) -> None:
    ticks = sorted(values.unique())
    panel.set_xscale("log")
    panel.set_xticks(ticks, [str(tick) for tick in ticks])
    panel.minorticks_off()
