"""The style of figures, with the same pen for a submission in all figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import seaborn as sns

STYLE: dict[str, str | float] = {
    "svg.hashsalt": "guided-descent",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a94a6",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e9ef",
    "legend.frameon": False,
}
INK = "#1f2733"
Colour = tuple[float, float, float]
OLIVE = (0.50, 0.47, 0.0)
"""Replaces the palette's yellow, which is hard to see on white."""
DASHES: tuple[tuple[float, ...], ...] = ((), (6, 2), (2, 2), (7, 2, 2, 2), (4, 1, 1, 1, 1, 1))
"""Dash patterns, in multiples of the line width; each is used for ten submissions."""


@dataclass(frozen=True)
class Pen:
    """A submission's colour and dashes in figures."""

    colour: Colour
    dash: tuple[float, ...]

    @property
    def hex(self) -> str:
        """The colour in HTML notation."""
        return "#" + "".join(f"{round(255 * part):02x}" for part in self.colour)

    @property
    def line(self) -> dict[str, Any]:
        """Its colour and dashes as matplotlib's keyword arguments."""
        return {"color": self.colour, "linestyle": (0, self.dash) if self.dash else "-"}


Pens = Mapping[str, Pen]


def pens(entries: Sequence[str]) -> Pens:
    """A pen for each entry, the same in all figures and pages of these entries.

    There are ten colours that are distinguishable for the colour-blind; further entries reuse them
    with other dashes.
    """
    colours: list[Colour] = [*sns.color_palette("colorblind", 10)]
    colours[8] = OLIVE
    return {
        name: Pen(colours[place % 10], DASHES[place // 10 % len(DASHES)])
        for place, name in enumerate(sorted(entries))
    }
