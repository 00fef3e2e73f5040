"""The kinds of figures that an experiment may declare, each a function of a `Drawing`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from experiments.figures.curves import curves_figure
from experiments.figures.drawing import Drawing
from experiments.figures.paths import paths_figure
from experiments.figures.ranks import ranks_figure
from experiments.figures.sweep import sweep_figure

KINDS: Mapping[str, Callable[[Drawing], Figure]] = {
    "paths": paths_figure,
    "curves": curves_figure,
    "ranks": ranks_figure,
    "sweep": sweep_figure,
}

__all__ = ["KINDS", "Drawing"]
