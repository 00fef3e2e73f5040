"""Speed-ups by model width, as a table and as a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from rich.table import Table

from harness.core.text import label
from scoring.report.style import INK, STYLE, Pen, pens
from scoring.uncertainty import LEVEL
from scoring.widths import WidthSpeedup

SIZE = (3.4, 2.8)
"""Width and height of a panel, in inches."""
TICKS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
"""Where a decade has a labelled tick: close enough for a narrow range, and without overlaps."""
MARKERS = {"": "o", ">=": "^", "<=": "v"}


def widths_table(lines: Sequence[WidthSpeedup], reference: str) -> Table:
    """One row per entry and width."""
    table = Table(title=f"Speed-up over {reference} at the same width")
    for name in ("workload", "submission"):
        table.add_column(name)
    for name in ("width", "studies", "speed-up", f"{LEVEL:.0%} interval"):
        table.add_column(name, justify="right")
    for line in lines:
        ends = "-" if math.isnan(line.low) else f"{line.low:.3g} to {line.high:.3g}"
        factor = "undecided" if line.mark == "?" else f"{line.mark}{line.speedup:.3g}"
        count, width = str(line.studies), str(line.width)
        table.add_row(line.workload, line.entry, width, count, factor, ends)
    return table


def widths_figure(lines: Sequence[WidthSpeedup], reference: str) -> Figure:
    """One panel per workload: each entry's speed-up by width with intervals, on log axes."""
    workloads = sorted({line.workload for line in lines})
    pen_of = pens(sorted({line.entry for line in lines}))
    with style.context(STYLE):
        size = SIZE[0] * len(workloads), SIZE[1]
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, len(workloads), sharey=True, squeeze=False)[0]
        for panel, workload in zip(panels, workloads, strict=True):
            own = [line for line in lines if line.workload == workload]
            for entry, pen in pen_of.items():
                _draw(panel, [line for line in own if line.entry == entry], pen)
            panel.axhline(1.0, color=INK, linewidth=1, linestyle=(0, (4, 3)))
            panel.set(xscale="log", yscale="log", title=label(workload), xlabel="width")
            panel.set_xticks(sorted({line.width for line in own}), minor=False)
            panel.xaxis.set_major_formatter("{x:g}")
            panel.xaxis.set_minor_formatter("")
            panel.yaxis.set_major_locator(LogLocator(subs=TICKS))
            panel.yaxis.set_major_formatter("{x:g}")
            panel.yaxis.set_minor_formatter("")
        panels[0].set_ylabel(label(f"speed-up over {reference}"))
        panels[-1].legend(fontsize=7.5)
    return figure


def _draw(panel: Axes, lines: Sequence[WidthSpeedup], pen: Pen) -> None:
    """An entry's line; there is no point if neither entry nor reference reached the target.

    A triangle is a bound: the speed-up lies on the side that it points to.
    """
    clear_lines = [line for line in sorted(lines, key=lambda one: one.width) if line.mark != "?"]
    if not clear_lines:
        return
    widths, speedups = [line.width for line in clear_lines], [line.speedup for line in clear_lines]
    panel.plot(widths, speedups, label=label(lines[0].entry), **pen.line)
    for line in clear_lines:
        marker = MARKERS[line.mark]
        panel.plot(line.width, line.speedup, marker=marker, markersize=4, color=pen.colour)
        if not math.isnan(line.low):
            panel.plot([line.width] * 2, [line.low, line.high], color=pen.colour, linewidth=2)
