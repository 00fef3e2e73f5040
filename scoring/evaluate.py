"""Scoreboards from results frames or tables of times: refusals, clock, rules and flags."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pandas as pd

from harness.core.errors import HarnessError
from scoring.baselines import baseline_breaches
from scoring.clock import clock_of, require_column
from scoring.columns import CURVES
from scoring.entries import content_flags, contents_by_name, select_contents
from scoring.evidence import NOT_READ, Evidence
from scoring.flags import gap_flags, trial_flags
from scoring.frame import find_entry, finished_trials, held_out_of, prepare
from scoring.mixtures import frame_breaches, name_breaches
from scoring.refusals import absences, check_allowed, settle, time_breaches
from scoring.rules import Rules, load_rules
from scoring.scoreboard import Scoreboard, score_times
from scoring.standing import (
    marks_of,
    select_ranked,
    select_unranked,
    standing_flags,
    unranked_table,
)
from scoring.studies import times_of, with_hit_index
from scoring.times import from_table


def score_results(
    frame: pd.DataFrame,
    rules: Rules | None = None,
    clock: str = "seconds",
    allowed_rules: Collection[str] = (),
    curves: pd.DataFrame | None = None,
    *,
    evidence: Evidence = NOT_READ,
    entries: Collection[str] = (),
) -> Scoreboard:
    """Score a results frame (`scoring.columns.RESULTS`).

    In this order: names shared by different submissions are refused, the latest content of each
    name is chosen (`scoring.entries`), mixtures are refused (`scoring.mixtures`), each study's best
    trial is chosen, and the study times are scored.

    Args:
        frame: results, one row per trial.
        rules: the scoring rules; None for the project's own.
        clock: a name in `scoring.clock.CLOCKS`.
        allowed_rules: rules of `scoring.refusals.RULES` whose breach only flags the scoreboard.
        curves: the trials' evaluations, for rules that choose a study's trial by evaluation index.
        evidence: the mismatches found in the records.
        entries: the only entries to score, regardless of the state of others; all if empty.

    Raises:
        UnknownNameError: there is no such entry.
        HarnessError: the frame is incomplete, breaks a rule whose breach is not allowed, or curves
            are needed but missing.
    """
    check_allowed(allowed_rules)
    everything = prepare(frame)
    frame = scored_trials(everything, allowed_rules)
    if entries:
        everything, frame = _only(entries, everything, frame)
    breaches = [*evidence.breaches(), *name_breaches(everything), *frame_breaches(frame)]
    breaches += baseline_breaches(frame)
    own = rules or load_rules()
    if not own.base:
        own = own.model_copy(update={"held_out": held_out_of(frame)})
    frame = _with_counted_times(frame, own, curves)
    times = times_of(finished_trials(frame), clock_of(clock))
    of_contents = content_flags(everything, allowed_rules)
    flags = settle([*breaches, *time_breaches(times, own)], allowed_rules, of_contents)
    flags += (*evidence.flags(), *of_contents, *standing_flags(everything, allowed_rules))
    flags += (*absences(times, own), *gap_flags(frame), *trial_flags(frame))
    board = score_times(times, own, clock_of(clock), flags)
    return replace(
        board,
        contents=_contents(everything, frame),
        marks=marks_of(frame),
        unranked_entries=unranked_table(unranked_trials(everything, allowed_rules)),
    )


def _with_counted_times(
    frame: pd.DataFrame, rules: Rules, curves: pd.DataFrame | None
) -> pd.DataFrame:
    """The trials with the times that the rules count, and what they choose a study's trial by."""
    if rules.time == "hit":
        frame = frame.assign(time_to_target_s=frame["hit_s"].astype(float))
    if rules.best_trial != "evaluation":
        return frame
    if curves is None:
        raise HarnessError(
            "these rules choose a study's trial by the index of its hit, which needs curves",
            "give the records' curves, or rules with best_trial = 'time'",
        )
    CURVES.check(curves)
    return with_hit_index(frame, curves)


def _only(
    names: Collection[str], everything: pd.DataFrame, scored: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The trials of some entries, with older contents of their submissions, and the scored ones."""
    own = scored["entry"].isin({find_entry(scored, name) for name in names})
    others = scored.loc[~own, "identity"]
    is_theirs = everything["submission"].isin(scored.loc[own, "submission"])
    return everything[is_theirs & ~everything["identity"].isin(others)], scored[own]


def scored_trials(frame: pd.DataFrame, allowed_rules: Collection[str] = ()) -> pd.DataFrame:
    """The scored trials of a results frame, prepared.

    Older contents and entries with an unranked mark are omitted.

    Raises:
        HarnessError: no ranked entry remains.
    """
    return prepare(select_ranked(select_contents(prepare(frame), allowed_rules), allowed_rules))


def unranked_trials(frame: pd.DataFrame, allowed_rules: Collection[str] = ()) -> pd.DataFrame:
    """The unranked trials of a results frame, prepared; often there are none.

    Their names are those that they have among all shown entries.
    """
    trials = prepare(select_contents(prepare(frame), allowed_rules))
    return select_unranked(trials, allowed_rules)


def _contents(everything: pd.DataFrame, frame: pd.DataFrame) -> dict[str, int]:
    """The number of contents tried under each entry's name."""
    counts = {name: len(contents) for name, contents in contents_by_name(everything).items()}
    entries = frame[["entry", "submission"]].drop_duplicates()
    return {str(entry): counts[str(name)] for entry, name in entries.itertuples(index=False)}


def score_table(
    table: pd.DataFrame,
    rules: Rules | None = None,
    clock: str = "seconds",
    allowed_rules: Collection[str] = (),
    *,
    entries: Collection[str] = (),
) -> Scoreboard:
    """Score a table of study times (`scoring.times.from_table`), or some entries of it."""
    own, clock_definition = rules or load_rules(), clock_of(clock)
    require_column(table, clock_definition.table_column, clock_definition)
    times = from_table(table, clock_definition.table_column)
    if entries:
        times = times.take(sorted(set(entries)))
    flags = settle(time_breaches(times, own), allowed_rules) + absences(times, own)
    return score_times(times, own, clock_definition, flags)
