"""Figures of a column's width: no legend hides what is drawn or is cut off."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from scoring.report.layout import FEW, legend, panels

WIDTH = 3.4


def draw(count: int) -> Figure:
    """A figure of so many lines with long names, and its legend."""
    figure = Figure(figsize=(WIDTH, 2.5), layout="constrained")
    axes = figure.subplots()
    for place in range(count):
        axes.plot([0, 1], [0, place], label=f"schedule_free_method_{place:02}")
    legend(figure, axes)
    figure.draw_without_rendering()
    return figure


def test_the_legend_of_many_lies_below_the_axes_and_within_the_figure() -> None:
    figure = draw(14)
    (box,) = (result.get_window_extent() for result in figure.legends)
    assert box.x0 >= 0.0
    assert box.x1 <= figure.bbox.width
    assert box.y1 <= figure.axes[0].get_window_extent().y0
    assert figure.axes[0].get_window_extent().height > 1.2 * figure.dpi


def test_the_legend_of_few_lies_within_the_axes() -> None:
    figure = draw(FEW)
    assert figure.legends == []
    assert figure.axes[0].get_legend() is not None
    assert figure.get_size_inches().tolist() == [WIDTH, 2.5]


@pytest.mark.parametrize(("count", "width", "rows"), [(1, 3.4, 1), (4, 3.4, 2), (5, 6.9, 2)])
def test_panels_go_into_as_many_rows_as_they_need(count: int, width: float, rows: int) -> None:
    figure = Figure(figsize=(width, 2.5))
    axes = panels(figure, count, 1.5)
    assert len(axes) == count == len(figure.axes)
    assert figure.get_size_inches()[1] == 2.5 + 1.5 * (rows - 1)
