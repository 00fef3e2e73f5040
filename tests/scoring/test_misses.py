"""Results in which nothing reached its target: sentences, not rows of zeros."""

from __future__ import annotations

import numpy as np

from harness.core.console import PlainConsole
from scoring.evaluate import score_results
from scoring.frame import prepare
from scoring.report.console import print_board, print_misses
from scoring.report.misses import no_hits_text
from scoring.report.tables import workload_table

from .made_frames import frame

MISSED = {("muon", "mlp"): [np.inf], ("adamw", "mlp"): [np.inf]}


def test_it_says_how_near_each_workload_came_and_what_to_do() -> None:
    text = no_hits_text(frame(MISSED))
    assert "No trial reached its target." in text
    assert "mlp, target accuracy 0.6: 0 of 2 trials; nearest is" in text
    assert "with 0.52 after 60 s" in text
    assert "harness doctor --measure" in text


def test_where_a_trial_reached_it_says_nothing() -> None:
    assert no_hits_text(frame({**MISSED, ("sgd", "mlp"): [12.0]})) == ""


def test_trials_that_were_never_evaluated_are_said_to_be() -> None:
    assert "none of which was evaluated" in no_hits_text(frame(MISSED, best_metric=np.nan))


def test_no_zero_score_is_printed() -> None:
    results, console = frame(MISSED), PlainConsole(record=True, width=80)
    print_misses(score_results(results), no_hits_text(results), console)
    text = console.export_text()
    assert "0.0000" not in text
    assert r"\n" not in text


def test_a_scoreboard_fits_into_80_columns() -> None:
    times = {("lion_sgd", "landscape"): [np.inf], ("a_method_of_long_name", "landscape"): [7123.0]}
    results, console = prepare(frame(times)), PlainConsole(record=True, width=80)
    board = score_results(results)
    print_board(board, workload_table(board, results), console=console)
    text = console.export_text()
    (row,) = [line for line in text.splitlines() if "missed" in line]
    assert "lion_sgd" in row and "2.00 + 1.50" in row
    assert "…" not in text
