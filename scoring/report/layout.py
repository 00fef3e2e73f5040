"""The layout of panels and legends, so that figures of a column's width are legible."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Place = Literal["best", "lower right"]
FEW = 5
"""Maximum number of entries for a legend within the axes; a larger one would hide curves."""
PANEL = 1.6
"""The minimum width of a panel, in inches."""
FONT = 7.5
KEY, LETTER, LINE = 0.36, 0.056, 0.145
"""Sizes in a legend, in inches: a key with its gaps, a letter, a line."""


def panels(
    figure: Figure, count: int, height: float, x_label: str = "", *, share_y: bool = False
) -> list[Axes]:
    """Add panels to a figure, as many per row as fit; the figure grows with the number of rows.

    Args:
        figure: an empty figure, with the height of one row of panels.
        count: the number of panels.
        height: the height of each row from the second on, in inches.
        x_label: label of the horizontal axes of the lowest panels.
        share_y: whether panels share the vertical axis.
    """
    width, tall = figure.get_size_inches()
    in_row = min(count, max(1, int(width / PANEL)))
    rows = math.ceil(count / in_row)
    figure.set_size_inches(width, tall + (rows - 1) * height)
    axes = list(figure.subplots(rows, in_row, sharey=share_y, squeeze=False).ravel())
    for spare in axes[count:]:
        spare.remove()
    for lowest in axes[max(0, count - in_row) : count]:
        lowest.set_xlabel(x_label, fontsize=FONT)
    return axes[:count]


def legend(figure: Figure, axes: Axes, title: str | None = None, loc: Place = "best") -> None:
    """The legend of some axes: within them for few entries, below the figure for many."""
    keys, names = axes.get_legend_handles_labels()
    if len(names) > FEW:
        legend_below(figure, keys, names, title)
    elif names:
        axes.legend(title=title, alignment="left", loc=loc, fontsize=8.5)


def legend_below(
    figure: Figure, keys: Sequence[Artist], names: Sequence[str], title: str | None = None
) -> None:
    """A legend below the figure, which grows by its height."""
    width, height = figure.get_size_inches()
    longest = KEY + LETTER * max(map(len, names))
    columns = max(1, min(len(names), int(width / longest)))
    lines = math.ceil(len(names) / columns) + (title is not None)
    figure.set_size_inches(width, height + LINE * lines)
    figure.legend(
        keys, names, title=title, loc="outside lower center", ncols=columns, fontsize=FONT,
        title_fontsize=FONT, handlelength=1.6, columnspacing=1.0, labelspacing=0.25,
    )  # fmt: skip


def lines_of(axes: Sequence[Axes]) -> tuple[list[Artist], list[str]]:
    """The keys and names of everything drawn in some panels, without duplicates."""
    keys: dict[str, Artist] = {}
    for panel in axes:
        for key, name in zip(*panel.get_legend_handles_labels(), strict=True):
            keys.setdefault(name, key)
    return list(keys.values()), list(keys)
