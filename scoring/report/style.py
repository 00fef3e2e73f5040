"""How figures look: one style, and for every submission one pen, wherever it is drawn."""

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
"""In place of the palette's yellow, which is hard to see on white."""
DASHES: tuple[tuple[float, ...], ...] = ((), (6, 2), (2, 2), (7, 2, 2, 2), (4, 1, 1, 1, 1, 1))
"""Lengths of strokes and gaps in widths of the line, from one ten of submissions to the next."""


@dataclass(frozen=True)
class Pen:
    """What draws a submission."""

    colour: Colour
    dash: tuple[float, ...]

    @property
    def hex(self) -> str:
        """The colour as a page writes it."""
        return "#" + "".join(f"{round(255 * part):02x}" for part in self.colour)

    @property
    def line(self) -> dict[str, Any]:
        """Its colour and dashes, as matplotlib takes them."""
        return {"color": self.colour, "linestyle": (0, self.dash) if self.dash else "-"}


Pens = Mapping[str, Pen]


def pens(entries: Sequence[str]) -> Pens:
    """A pen for every entry, the same in all figures and pages of these entries.

    There are ten colours that the colour-blind tell apart; the next ten entries have them again,
    with other dashes.
    """
    colours: list[Colour] = [*sns.color_palette("colorblind", 10)]
    colours[8] = OLIVE
    return {
        name: Pen(colours[place % 10], DASHES[place // 10 % len(DASHES)])
        for place, name in enumerate(sorted(entries))
    }
