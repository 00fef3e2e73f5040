"""The data that an experiment's figure is drawn from, and the elements that all figures share."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure

from experiments.spec import Experiment, Form
from harness.core.text import label
from scoring.report.style import DASHES, Pen, pens

ORDER = (
    "adagrad", "adamw", "dfw", "ekfac", "eshampoo", "kfac", "muon", "nadamw", "natural_gradient",
    "nesterov", "prodigy", "rmsprop", "sgd", "shampoo", "soap", "sophia_g", "splus",
    "adam", "modular_norm", "swats", "adamc", "adams", "spectral_descent",
    "full_adagrad", "newton", "lion", "varying_adamw", "entropy_sgd", "ea_sgd", "async_sgd",
    "adam_clip", "paper_kfac",
)  # fmt: skip
"""A submission's position here gives its colour. Append new ones, so that existing figures keep
their colours.
"""
WIDTH = 6.9
"""The width of a figure in inches: a page with two columns."""
PANEL_HEIGHT = 2.5
LEGEND_HANDLE, LEGEND_LETTER, LEGEND_ROW = 0.75, 0.075, 0.2
"""The sizes of a legend's parts in inches."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """The data that a figure is drawn from.

    Args:
        experiment: the file that declares entries, measure and figure.
        evaluations: see `experiments.frame`.
        trials: one row per trial with its measure, see `experiments.measures`.
        best: the trials of each entry and variant at its best point.
        form: the full or the quick form.
    """

    experiment: Experiment
    evaluations: pd.DataFrame
    trials: pd.DataFrame
    best: pd.DataFrame
    form: Form

    @cached_property
    def pens(self) -> dict[str, Pen]:
        """The pen of each entry: a submission's colour is one in all experiments that ship.

        Entries of one submission differ by their dashes.
        """
        others = sorted({entry.submission for entry in self.experiment.entries} - set(ORDER))
        names = {f"{place:04}": name for place, name in enumerate((*ORDER, *others))}
        by_name = {names[number]: pen for number, pen in pens(list(names)).items()}
        pens_used = {by_name[entry.submission] for entry in self.experiment.entries}
        pens_drawn = dict[str, Pen]()
        for entry in self.experiment.entries:
            pen = by_name[entry.submission]
            if pen in pens_drawn.values():
                pen = next(free for free in _vary_dashes(pen) if free not in pens_used)
                pens_used.add(pen)
            pens_drawn[entry.name] = pen
        return pens_drawn

    @property
    def best_evaluations(self) -> pd.DataFrame:
        """The evaluations of the trials in `best`."""
        keys = ["entry", "variant", "instance", "point"]
        return self.evaluations.merge(self.best[keys], on=keys)


def _vary_dashes(pen: Pen) -> Iterator[Pen]:
    """The pens of one colour: first the usual dashes, then dots with ever larger gaps."""
    yield from (Pen(pen.colour, dash) for dash in DASHES)
    yield from (Pen(pen.colour, (1.0, float(gap))) for gap in count(1))


def panels(figure: Figure, rows: int, columns: int, **options: Any) -> Sequence[Sequence[Axes]]:
    """A grid of panels, always as rows of a list."""
    grid: np.ndarray = figure.subplots(rows, columns, squeeze=False, **options)
    return [list(row) for row in grid]


def legend(figure: Figure, axes: Axes, title: str = "") -> None:
    """One legend below all panels, for the lines of one of them; the figure grows with its rows."""
    artists, names = axes.get_legend_handles_labels()
    # without their error bars, which hide the dashes
    handles = [h.lines[0] if isinstance(h, ErrorbarContainer) else h for h in artists]
    widest = LEGEND_HANDLE + LEGEND_LETTER * max(map(len, names), default=0)
    columns = max(1, min(4, len(names), int(WIDTH / widest)))
    more_rows = max(0, math.ceil(len(names) / columns) - 2)
    figure.set_figheight(figure.get_figheight() + LEGEND_ROW * more_rows)
    figure.legend(handles, list(map(label, names)), loc="outside lower center", ncols=columns,
                  handlelength=3.2, title=label(title) or None)  # fmt: skip


def log_if_wide(axes: Axes, values: pd.Series[float]) -> None:
    """A logarithmic vertical axis where positive values span more than a factor of thirty."""
    numbers = values.to_numpy(dtype=float)  # of no trials at all they are objects
    finite = numbers[np.isfinite(numbers)]
    if len(finite) and finite.min() > 0 and finite.max() > 30 * finite.min():
        axes.set_yscale("log")
