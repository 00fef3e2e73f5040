"""A self-contained HTML report on a folder of results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.core.files import write_whole
from harness.core.marks import MARKS, MEANINGS
from scoring.attribution import Attribution, attributions
from scoring.columns import CURVES
from scoring.draws import METHODS
from scoring.frame import finished_trials, prepare
from scoring.pairs import PairTable
from scoring.pool import pool_sensitivity
from scoring.report.misses import no_hits_text
from scoring.report.tables import (
    CONTENTS,
    DESCRIPTIVE,
    OFF_CLOCK,
    RANGE,
    entry_table,
    number,
    off_clock_text,
    screening_text,
    trial_table,
    workload_table,
)
from scoring.report.views import figures_of
from scoring.scoreboard import Scoreboard
from scoring.studies import study_table
from scoring.tuning import sensitivity
from scoring.uncertainty import LEVEL, Uncertainty

MANY = 16
"""Maximum number of entries for which every pair is shown."""


def render_page(
    board: Scoreboard,
    sure: Uncertainty | None,
    frame: pd.DataFrame,
    curves: pd.DataFrame,
    folder: Path,
) -> str:
    """Render the self-contained page; record paths are relative to `folder`.

    Raises:
        HarnessError: results or curves are not what `scoring.columns` declares.
    """
    CURVES.check(curves)
    frame = prepare(frame)
    trials = trial_table(frame)
    environment = Environment(
        loader=PackageLoader("scoring", "report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["number"] = number
    environment.globals["off_clock"] = off_clock_text
    return environment.get_template("template.html").render(
        board=board,
        notes=_notes(board, sure),
        facts=_facts(frame),
        entries=entry_table(board, sure).to_dict("records"),
        bars=[float(board.scores[row]) for row in board.order()],
        workloads=_with_sources(board, frame),
        unranked=board.unranked_entries.to_dict("records"),
        pairs=_pairs(board, sure),
        sensitivity=sensitivity(finished_trials(frame)).to_dict("records"),
        pool=_moved_ranks(board),
        attributions=_attributions(board, frame),
        trials=_with_links(trials, folder),
        figures=figures_of(board, frame, trials, curves),
        misses=no_hits_text(frame).splitlines(),
    )


def _notes(board: Scoreboard, sure: Uncertainty | None) -> list[str]:
    notes = [RANGE, OFF_CLOCK]
    notes += [f"{mark}: {MEANINGS[mark]}." for mark in MARKS if mark in board.marks.values()]
    if sure is not None:
        how = f"Interval, ranks and speed-up: {LEVEL:.0%}, by {METHODS[sure.method]}."
        notes += [f"{how} {DESCRIPTIVE}"]
    if max(board.contents.values(), default=1) > 1:
        notes += [CONTENTS]
    if board.is_screening:
        notes += [f"This is a {screening_text(board)}."]
    return notes


def _pairs(board: Scoreboard, sure: Uncertainty | None) -> list[dict[str, object]]:
    """One row per entry, best first, with its probability and factor against every other entry."""
    if sure is None or sure.pairs is None or not 1 < len(board.scores) <= MANY:
        return []
    table, order = sure.pairs, board.order()
    return [
        {
            "name": board.times.submissions[a],
            "cells": [None if a == b else _pair(table, a, b) for b in order],
        }
        for a in order
    ]


def _attributions(board: Scoreboard, frame: pd.DataFrame) -> list[Attribution]:
    """The causes of the differences in seconds between the best entry and every other."""
    if board.clock.name != "seconds" or not 1 < len(board.scores) <= MANY:
        return []
    return attributions(frame, [board.times.submissions[row] for row in board.order()], board.rules)


def _pair(table: PairTable, a: int, b: int) -> dict[str, float]:
    return {
        "p": float(table.p_beats[a, b]),
        "undecided_fraction": float(table.undecided_fraction[a, b]),
        "factor": float(table.factor[a, b]),
        "low": float(table.low[a, b]),
        "high": float(table.high[a, b]),
    }


def _moved_ranks(board: Scoreboard) -> list[dict[str, object]]:
    """The entries whose removal changes the order of the others."""
    if len(board.scores) < 3 or board.is_screening:
        return []
    table = pool_sensitivity(board)
    movers = table[table["rank"] != table["rank_without"]]
    return [{str(key): value for key, value in line.items()} for line in movers.to_dict("records")]


def write_page(text: str, path: Path) -> Path:
    """Write the page and return its path.

    Raises:
        HarnessError: the file cannot be written.
    """
    write_whole(path, text)
    return path


def _facts(frame: pd.DataFrame) -> Mapping[str, str]:
    """Properties common to all trials, by title."""
    columns = {
        "suite": "Suite", "ruleset": "Ruleset", "framework": "Framework", "hardware": "Hardware",
        "origin": "Origin of the records",
    }  # fmt: skip
    facts = {
        title: ", ".join(sorted(frame[column].astype(str).unique()))
        for column, title in columns.items()
    }
    facts["Trials"] = str(len(frame))
    facts["Studies"] = str(frame["study"].nunique())
    return facts


def _with_sources(board: Scoreboard, frame: pd.DataFrame) -> list[dict[str, object]]:
    """The rows of the workload table with the trials behind each time."""
    finished_frame = finished_trials(frame)
    best = study_table(finished_frame, board.clock)
    sources = {
        key: list(part["identity"]) for key, part in best.groupby(["workload", "submission"])
    }
    lines = workload_table(board, frame).to_dict("records")
    for line in lines:
        line["sources"] = sources.get((line["workload"], line["submission"]), [])
        line["time"] = line[board.clock.table_column]
        ratio = float(line["ratio_to_best"])
        line["ratio"] = f"{ratio:.3f}" if np.isfinite(ratio) else "-"
    return [{str(key): value for key, value in line.items()} for line in lines]


def _with_links(trials: pd.DataFrame, folder: Path) -> list[dict[str, object]]:
    """The rows of the table of trials; records within the folder have relative paths."""
    inside = f"{folder.resolve()}".rstrip("/") + "/"
    records = [str(record).removeprefix(inside) for record in trials["record"]]
    lines = trials.assign(record=records).to_dict("records")
    return [{str(key): value for key, value in line.items()} for line in lines]
