"""Scoreboards from results frames or tables of times: refusals, clock, rules and flags."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from harness.core.errors import HarnessError
from scoring.clock import clock_of, require_column
from scoring.frame import held_out_of, prepare
from scoring.refusals import check_allowed, frame_breaches, marks, missing_studies, settle
from scoring.rules import Rules, load_rules
from scoring.scoreboard import Scoreboard, score_times
from scoring.studies import times_of, with_hit_index
from scoring.times import from_table


def score_results(
    frame: pd.DataFrame,
    rules: Rules | None = None,
    clock: str = "seconds",
    allowed: Collection[str] = (),
    curves: pd.DataFrame | None = None,
) -> Scoreboard:
    """Score a results frame (`scoring.frame`).

    Args:
        frame: results, one row per trial.
        rules: the scoring rules; None for the project's own.
        clock: a name in `scoring.clock.CLOCKS`.
        allowed: rules of `scoring.refusals.RULES` whose breach only flags the scoreboard.
        curves: the trials' evaluations, for rules that choose a study's trial by evaluation index.

    Raises:
        HarnessError: the frame is incomplete or breaks a rule that is not allowed, or curves are
            needed and missing.
    """
    check_allowed(allowed)
    frame = prepare(frame)
    breaches = frame_breaches(frame)
    own = rules or load_rules()
    if not own.base:
        own = own.model_copy(update={"held_out": held_out_of(frame)})
    if own.best_trial == "evaluation":
        if curves is None:
            raise HarnessError(
                "these rules choose a study's trial by the index of its hit, which needs curves",
                "give the records' curves, or rules with best_trial = 'time'",
            )
        frame = with_hit_index(frame, curves)
    times = times_of(frame[frame["state"] != "unfinished"], clock_of(clock))
    flags = settle([*breaches, *missing_studies(times, own)], allowed)
    return score_times(times, own, clock_of(clock), (*flags, *marks(frame)))


def score_table(
    table: pd.DataFrame,
    rules: Rules | None = None,
    clock: str = "seconds",
    allowed: Collection[str] = (),
) -> Scoreboard:
    """Score a table of study times (`scoring.times.from_table`)."""
    own, clock_definition = rules or load_rules(), clock_of(clock)
    require_column(table, clock_definition.table_column, clock_definition)
    times = from_table(table, clock_definition.table_column)
    return score_times(times, own, clock_definition, settle(missing_studies(times, own), allowed))
