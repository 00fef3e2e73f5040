"""Figures of evaluations that are written down here: what is drawn where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.figures import KINDS, Drawing
from experiments.figures.ranks import ranks_of
from experiments.figures.sweep import best_over
from experiments.measures import best_points
from experiments.spec import Figure, Measure
from tests.experiments.test_spec import experiment

X_OF = {"sgd": 0.5, "adamw": -0.5}


def drawing(figure: Figure) -> Drawing:
    """Three steps of two entries to a point of their own, at one rate each."""
    spec = experiment().model_copy(update={"figure": figure})
    rows = [
        {"entry": e, "variant": v, "instance": 1, "point": "p", "step": s, "metric": m, "value": x}
        for e, end in X_OF.items()
        for v in spec.full.variants
        for s in (1, 2, 3)
        for m, x in (("x", end * s / 3), ("y", 1.0), ("loss", 10.0**-s))
    ]
    trials = [
        {"entry": e, "variant": v, "instance": 1, "point": "p", "learning_rate": 0.1, "value": 1e-3}
        for e in X_OF
        for v in spec.full.variants
    ]
    best = best_points(pd.DataFrame(trials), spec.measure)
    return Drawing(spec, pd.DataFrame(rows), pd.DataFrame(trials), best, spec.full)


def test_a_path_leads_from_the_start_to_the_last_point() -> None:
    figure = KINDS["paths"](drawing(Figure(kind="paths")))
    first, second = figure.axes
    lines = {str(line.get_label()): line.get_xydata() for line in second.lines}
    assert [axes.get_title() for axes in (first, second)] == [
        "start (-1.5, 2.5)",
        "start (1.5, 2.5)",
    ]
    assert np.asarray(lines["sgd"])[[0, -1]].tolist() == [[1.5, 2.5], [0.5, 1.0]]
    assert np.asarray(lines["adamw"])[-1].tolist() == [-0.5, 1.0]


def test_curves_have_a_row_a_metric_and_a_log_axis_where_values_span_far() -> None:
    figure = KINDS["curves"](drawing(Figure(kind="curves", metrics=("loss", "y"))))
    top, _, bottom, _ = figure.axes
    assert (top.get_yscale(), bottom.get_yscale()) == ("log", "linear")
    (line, _) = top.lines
    assert np.asarray(line.get_ydata()).tolist() == pytest.approx([0.1, 0.01, 0.001])


def test_geometric_evaluations_are_drawn_over_the_logarithm_of_the_step() -> None:
    of = drawing(Figure(kind="curves", metrics=("loss",)))
    spaced = replace(of, form=of.form.model_copy(update={"spacing": "geometric"}))
    scales = [KINDS["curves"](each).axes[0].get_xscale() for each in (of, spaced)]
    assert scales == ["linear", "log"]


def test_curves_of_a_logarithmic_measure_are_geometric_means() -> None:
    of = drawing(Figure(kind="curves", metrics=("loss",)))
    other = of.evaluations.assign(instance=2, value=100.0 * of.evaluations["value"])
    spec = of.experiment.model_copy(update={"measure": of.experiment.measure.model_copy(
        update={"scale": "log"})})  # fmt: skip
    both = pd.concat([of.evaluations, other])
    best = pd.concat([of.best, of.best.assign(instance=2)])
    figure = KINDS["curves"](Drawing(spec, both, of.trials, best, of.form))
    values = np.asarray(figure.axes[0].lines[0].get_ydata()).tolist()
    assert values == pytest.approx([1.0, 0.1, 0.01])


def test_a_sweep_is_drawn_at_the_best_of_the_other_values() -> None:
    rows = [(1, "a", 3.0), (1, "b", 2.0), (5, "a", 1.0), (5, "b", np.inf), (9, "a", np.inf)]
    trials = pd.DataFrame(rows, columns=["period", "point", "value"])
    measure = Measure(metric="loss", direction="minimize")
    assert best_over(trials, "period", measure)["mean"].to_dict() == {1: 2.0, 5: 1.0}


def test_a_sweep_of_a_logarithmic_measure_is_of_geometric_means() -> None:
    rows = [(1, "even", 0.5), (1, "even", 0.5), (1, "uneven", 1e-4), (1, "uneven", 1.0)]
    trials = pd.DataFrame(rows, columns=["period", "point", "value"])
    measure = Measure(metric="loss", direction="minimize", scale="log")
    assert best_over(trials, "period", measure)["mean"].to_dict() == {1: pytest.approx(0.01)}


def test_another_metric_of_a_sweep_is_drawn_at_the_point_that_is_best_by_the_measure() -> None:
    rows = [("c", "a", 3.0, 9.0), ("c", "b", 2.0, 8.0), ("d", "a", 1.0, 7.0)]
    trials = pd.DataFrame(rows, columns=["shape", "point", "value", "norm"])
    measure = Measure(metric="loss", direction="minimize")
    assert best_over(trials, "shape", measure, "norm")["mean"].to_dict() == {"c": 8.0, "d": 7.0}


def test_a_sweep_over_variants_has_a_place_for_each_in_their_order() -> None:
    spec = Figure(kind="sweep", over="variant", names={"base": "start"})
    (panel,) = KINDS["sweep"](drawing(spec)).axes
    assert [text.get_text() for text in panel.get_xticklabels()] == ["start", "upper right"]
    assert [np.size(line.get_xdata()) for line in panel.lines if line.get_marker() == "o"] == [2, 2]


def test_a_legend_of_long_names_stays_within_the_figure() -> None:
    names = {"x": "a distance with a long name", "y": "another one, just as long as that"}
    spec = Figure(kind="curves", lines="metric", panels="entry", metrics=("x", "y"), names=names)
    figure = KINDS["curves"](drawing(spec))
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0.0 and box.x1 <= figure.bbox.width


def test_metrics_may_be_lines_and_entries_panels() -> None:
    spec = Figure(kind="curves", lines="metric", panels="entry", metrics=("x", "y"))
    figure = KINDS["curves"](drawing(spec))
    assert len(figure.axes) == 4  # two variants of two entries
    labels = [str(line.get_label()) for line in figure.axes[0].lines]
    assert labels == ["x", "y"]


@pytest.mark.parametrize("kind", [{"kind": "curves"}, {"kind": "sweep", "over": "learning_rate"}])
def test_an_experiment_of_which_nothing_trained_has_an_empty_figure(kind: dict[str, str]) -> None:
    full = drawing(Figure.model_validate(kind))
    none, failed = full.evaluations.iloc[:0].astype(object), full.trials.assign(value=np.inf)
    figure = KINDS[kind["kind"]](Drawing(full.experiment, none, failed, failed, full.form))
    assert not any(np.size(line.get_xdata()) for axes in figure.axes for line in axes.lines)


def test_a_submission_has_one_colour_and_its_entries_differ_by_dashes() -> None:
    entries = experiment().entries
    twin = entries[0].model_copy(update={"label": "sgd again"})
    spec = drawing(Figure(kind="paths"))
    several = spec.experiment.model_copy(update={"entries": (*entries, twin)})
    drawn = Drawing(several, spec.evaluations, spec.trials, spec.best, spec.form).pens
    assert drawn["sgd"].colour == drawn["sgd again"].colour != drawn["adamw"].colour
    assert drawn["sgd"].dash != drawn["sgd again"].dash


def test_ranks_are_means_over_instances_with_the_best_first() -> None:
    rows = [
        (entry, "base", instance, step, "loss", value)
        for (entry, instance, step), value in {
            ("a", 1, 1): 1.0, ("b", 1, 1): 2.0, ("a", 2, 1): 3.0, ("b", 2, 1): 2.0,
            ("a", 1, 2): np.nan, ("b", 1, 2): 5.0, ("a", 2, 2): 4.0, ("b", 2, 2): 1.0,
        }.items()
    ]  # fmt: skip
    columns = ["entry", "variant", "instance", "step", "metric", "value"]
    measure = Measure(metric="loss", direction="minimize")
    ranks = ranks_of(pd.DataFrame(rows, columns=columns), measure)
    result = ranks.set_index(["entry", "step"])["rank"].to_dict()
    assert result == {("a", 1): 1.5, ("b", 1): 1.5, ("a", 2): 2.0, ("b", 2): 1.0}


def test_a_figure_of_ranks_has_the_first_at_the_top() -> None:
    figure = KINDS["ranks"](drawing(Figure(kind="ranks")))
    first, *_ = figure.axes
    bottom, top = first.get_ylim()
    assert (top < 1.0, bottom > 2.0) == (True, True)
    assert [str(line.get_label()) for line in first.lines] == ["sgd", "adamw"]
