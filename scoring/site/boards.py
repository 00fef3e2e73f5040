"""Boards: the trials of each suite and ruleset, scored by every available clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from harness.core.errors import HarnessError
from scoring.clock import CLOCKS, Clock
from scoring.evaluate import score_results, scored_trials, unranked_trials
from scoring.frame import finished_trials, prepare
from scoring.profile import base_workloads
from scoring.rules import Rules
from scoring.scoreboard import Scoreboard
from scoring.site.material import Gap, Material, Withdrawal
from scoring.site.names import Layout, layout_of
from scoring.site.ranking import Ranking, rank_entries
from scoring.speedup import REFERENCE, Factor, factor, pair_limits, reference_rows
from scoring.studies import study_table
from scoring.uncertainty import Uncertainty, assess

SWITCH = ("seconds", "steps", "examples")
"""The clocks that a reader can choose."""
BEST = "the best of each workload"


@dataclass(frozen=True)
class Options:
    """How boards are scored, as by the flags of `harness score`."""

    rules: Rules
    reference: str = REFERENCE
    allow: tuple[str, ...] = ()
    draws: int = 2000


@dataclass(frozen=True, eq=False)
class View:
    """The results of a board by one clock."""

    board: Scoreboard
    sure: Uncertainty | None
    ranking: Ranking | None
    factors: tuple[Factor | None, ...]
    """Each entry against `against`; None if there is no such entry in its framework."""
    against: str
    """The reference's name, or `BEST`."""

    def order(self) -> list[int]:
        """The rows in the board's order."""
        return self.ranking.order(self.board) if self.ranking else self.board.order()


@dataclass(frozen=True, eq=False)
class Board:
    """The trials of one suite and ruleset."""

    suite: str
    ruleset: str
    frame: pd.DataFrame
    """The prepared scored trials, or all trials if a rule refuses the score."""
    unranked_frame: pd.DataFrame
    """The prepared unranked trials."""
    withdrawn: tuple[Withdrawal, ...]
    views: Mapping[str, View]
    """The views by clock; empty if a rule refuses the score."""
    refusal: str
    layout: Layout
    gaps: tuple[Gap, ...]

    @property
    def title(self) -> str:
        """Its suite and ruleset."""
        return f"{self.suite}, {RULESETS.get(self.ruleset, self.ruleset)}"

    @property
    def entries(self) -> tuple[str, ...]:
        """The names of its ranked entries."""
        return tuple(sorted(self.frame["entry"].astype(str).unique()))

    @property
    def entries_with_pages(self) -> tuple[str, ...]:
        """All entries with a page: first the ranked ones, then the others."""
        return (*self.entries, *sorted(self.unranked_frame["entry"].astype(str).unique()))

    @cached_property
    def everything(self) -> pd.DataFrame:
        """All prepared trials with a page."""
        if self.unranked_frame.empty:
            return self.frame
        return pd.concat([self.frame, self.unranked_frame], ignore_index=True)

    @property
    def columns(self) -> tuple[str, ...]:
        """Its workloads and held-out variants."""
        return tuple(sorted(self.everything["column"].astype(str).unique()))

    @property
    def counted_identities(self) -> frozenset[str]:
        """The trials that count for their studies, by the referee's clock."""
        finished_frame = finished_trials(self.everything)
        if finished_frame.empty:
            return frozenset()
        return frozenset(study_table(finished_frame, CLOCKS["seconds"])["identity"])


RULESETS = {"external": "external tuning", "self": "self-tuning"}


def make_boards(material: Material, options: Options) -> tuple[Board, ...]:
    """A board for each suite and ruleset of the results, by name."""
    if material.frame.empty:
        return ()
    groups = material.frame.groupby(["suite", "ruleset"], sort=True)
    return tuple(
        _board(str(suite), str(ruleset), part.reset_index(drop=True), material, options)
        for (suite, ruleset), part in groups
    )


def _board(
    suite: str, ruleset: str, frame: pd.DataFrame, material: Material, options: Options
) -> Board:
    views: dict[str, View] = {}
    gaps: list[Gap] = []
    refusal, unranked_frame = "", unranked_trials(frame, options.allow)
    try:
        trials = scored_trials(frame, options.allow)
        views["seconds"] = _view(frame, CLOCKS["seconds"], material, options)
    except HarnessError as error:
        refusal, trials, unranked_frame = str(error), prepare(frame), unranked_frame.iloc[:0]
    for name in SWITCH[1:] if views else ():
        try:
            _require_values(trials, CLOCKS[name])
            views[name] = _view(frame, CLOCKS[name], material, options)
        except HarnessError as error:
            gaps.append(Gap(f"the clock {name}", error.message))
    with_pages = [trials, unranked_frame]
    entries, columns = (
        {str(value) for part in with_pages for value in part[name]} for name in ("entry", "column")
    )
    layout = layout_of(suite, ruleset, sorted(entries), sorted(columns))
    withdrawn = tuple(
        one for one in material.withdrawn if (one.suite, one.ruleset) == (suite, ruleset)
    )
    return Board(
        suite, ruleset, trials, unranked_frame, withdrawn, views, refusal, layout, tuple(gaps)
    )


def _require_values(frame: pd.DataFrame, clock: Clock) -> None:
    """Refuse a clock without a value in a trial that reached its target, which would look like a
    miss.
    """
    hits = frame[frame["state"] == "reached"]
    if clock.column not in frame.columns or hits[clock.column].isna().any():
        lacking = len(hits) if clock.column not in frame else hits[clock.column].isna().sum()
        raise HarnessError(f"{lacking} of {len(hits)} trials that reached do not have it")


def _view(frame: pd.DataFrame, clock: Clock, material: Material, options: Options) -> View:
    board = score_results(
        frame, options.rules, clock.name, options.allow, material.curves,
        evidence=material.evidence,
    )  # fmt: skip
    sure = assess(board, options.reference, options.draws)
    factors, against = _factors(board, options.reference)
    return View(board, sure, rank_entries(board, options.draws), factors, against)


def _factors(board: Scoreboard, reference: str) -> tuple[tuple[Factor | None, ...], str]:
    """Each entry against the reference or, without a reference, against each workload's best."""
    medians, columns = board.medians[:, board.base_columns], board.base_columns
    rows = reference_rows(board.times.submissions, reference)
    if not any(row is not None for row in rows):
        best = medians.min(axis=0)
        limits = [pair_limits(board.times, row, row).take(columns) for row in range(len(medians))]
        own = [factor(times, best, limit) for times, limit in zip(medians, limits, strict=True)]
        return tuple(own), BEST
    return tuple(
        None
        if other is None
        else factor(
            medians[row], medians[other], pair_limits(board.times, row, other).take(columns)
        )
        for row, other in enumerate(rows)
    ), reference


def run_workloads(board: Scoreboard) -> list[str]:
    """The base workloads that were run, in the order of the scoreboard's columns."""
    names = base_workloads(board.times.workloads, board.rules)
    return [name for name in names if name in board.times.workloads]


def reached_counts(board: Scoreboard) -> list[int]:
    """The number of base workloads on which each entry has a time that counts."""
    return [int(count) for count in np.isfinite(board.base_times).sum(axis=1)]
