"""Paths in the plane over the contours of the Rosenbrock function, one panel per start."""

from __future__ import annotations

import math

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures.drawing import WIDTH, Drawing, legend, panels
from harness.providers import registry
from scoring.report.style import INK, STYLE
from workloads.landscapes.rosenbrock.diagnostics import MINIMUM
from workloads.landscapes.rosenbrock.model import RosenbrockSizes, validate

BOX = ((-2.2, 2.2), (-1.2, 3.2))
"""The range of x and y that is shown; paths are cut at its edge."""
LEVELS = np.logspace(-2, 3.5, 12)


def paths_figure(drawing: Drawing) -> Figure:
    """Each entry's path at its best point, of the first instance, from the start to a dot."""
    variants = drawing.form.variants
    columns = min(2, len(variants))
    rows = math.ceil(len(variants) / columns)
    with style.context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.1 * rows + 0.6), layout="constrained")
        grid = panels(figure, rows, columns, sharex=True, sharey=True)
        axes = [each for row in grid for each in row]
        for panel, variant in zip(axes, variants, strict=False):
            _draw_panel(panel, drawing, variant)
        for panel in axes[len(variants) :]:
            panel.remove()
        for row in grid:
            row[0].set_ylabel("y")
        for panel in grid[-1]:
            panel.set_xlabel("x")
        legend(figure, axes[0])
    return figure


def _draw_panel(panel: Axes, drawing: Drawing, variant: str) -> None:
    form = drawing.form
    size = registry.workload(form.workload).at(form.suite)
    sizes = validate(size.sizes_of(variant))
    _draw_contours(panel, sizes)
    for name, pen in drawing.pens.items():
        path = np.array([sizes.start, *_points(drawing, name, variant)])
        panel.plot(*path.T, label=name, linewidth=1.2, **pen.line)
        panel.plot(*path[-1], "o", color=pen.colour, markersize=5)
    panel.plot(*sizes.start, "s", color=INK, markersize=5, label="start", linestyle="none")
    panel.plot(*MINIMUM, "*", color=INK, markersize=9, label="minimum", linestyle="none")
    panel.set(xlim=BOX[0], ylim=BOX[1])
    panel.set_title(f"start ({sizes.start[0]:g}, {sizes.start[1]:g})", fontsize=9)


def _draw_contours(panel: Axes, sizes: RosenbrockSizes) -> None:
    x, y = np.meshgrid(np.linspace(*BOX[0], 240), np.linspace(*BOX[1], 240))
    heights = (1.0 - x) ** 2 + sizes.steepness * (y - x**2) ** 2
    panel.contour(x, y, heights, levels=LEVELS, colors="#b9c1cf", linewidths=0.6)
    panel.grid(visible=False)


def _points(drawing: Drawing, name: str, variant: str) -> list[tuple[float, float]]:
    """The evaluated points of an entry's first instance, in order."""
    frame = drawing.best_evaluations
    own = frame[(frame["entry"] == name) & (frame["variant"] == variant) & (frame["instance"] == 1)]
    if own.empty:  # it diverged before the first evaluation
        return []
    wide = own.pivot(index="step", columns="metric", values="value").sort_index()
    return list(zip(wide["x"], wide["y"], strict=True))
