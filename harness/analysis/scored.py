"""Scoreboards from folders of records and tables of times, for all commands that score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.analysis.reading import StoreReading, read_store
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    import pandas as pd

    from scoring.rules import Rules
    from scoring.scoreboard import Scoreboard


@dataclass(frozen=True)
class Source:
    """The source of times, and how they are scored: the options that scoring commands share."""

    out: Path | None = None
    times: Path | None = None
    rules: str = "guided-descent"
    clock: str = "seconds"
    allow: tuple[str, ...] = ()
    normalise: Path | None = None
    reference: str = "adamw"
    entries: tuple[str, ...] = ()
    """The only entries to score, regardless of the state of others; all if empty."""


@dataclass(frozen=True, eq=False)
class ScoredFolder:
    """The scoreboard of a folder of records, and its data."""

    board: Scoreboard
    trials: pd.DataFrame
    """The frame of the scored trials."""
    curves: Callable[[], pd.DataFrame]
    """Returns all evaluations of the folder."""


def load_board(source: Source) -> tuple[Scoreboard, pd.DataFrame | None]:
    """The scoreboard of a folder of records or of a table, and the frame of the scored trials.

    Raises:
        HarnessError: both or neither are given, or the source cannot be read or scored.
    """
    from scoring.evaluate import score_table
    from scoring.rules import load_rules

    rules = load_rules(source.rules)
    if source.normalise is not None and source.out is None:
        raise HarnessError(
            "--normalise needs a folder of records", "harness score OUT --normalise DIR"
        )
    if source.out is None and source.times is not None:
        table = read_table(source.times)
        return score_table(table, rules, source.clock, source.allow, entries=source.entries), None
    if source.out is None or source.times is not None:
        raise HarnessError(
            "give either a folder of records or a table of times",
            "harness score OUT   or   harness score --times FILE.csv --rules algoperf-v0.5",
        )
    scores = score_records(source, source.out, rules)
    return scores.board, scores.trials


def score_records(
    source: Source,
    out: Path,
    rules: Rules,
    *,
    keep_curves: bool = False,
    with_claims: bool = False,
) -> ScoredFolder:
    """The scoreboard of a folder of records, which are checked as they are read.

    Args:
        source: how times are scored, with the folder of another machine's records if there is one.
        out: the folder of records.
        rules: how trials become studies, times and scores.
        keep_curves: whether `ScoredFolder.curves` will be called.
        with_claims: whether the curves include the values claimed by workers.

    Raises:
        HarnessError: the folder cannot be read or scored.
    """
    from scoring.evaluate import score_results, scored_trials

    by_index = rules.best_trial == "evaluation"
    own = read_store(out, keep_curves=keep_curves or by_index, with_claims=with_claims)
    frame, evidence, readings = scored_part(own.trials), own.evidence, [own]
    if source.normalise is not None:
        from scoring.normalise import normalise

        there = read_store(source.normalise, keep_curves=by_index)
        frame = normalise(frame, scored_part(there.trials), source.reference)
        evidence, readings = evidence.join(there.evidence), [own, there]
    curves = _curves(readings, frame) if by_index else None
    board = score_results(
        frame, rules, source.clock, source.allow, curves, evidence=evidence, entries=source.entries
    )
    return ScoredFolder(board, scored_trials(frame, source.allow), own.curves)


def _curves(readings: list[StoreReading], frame: pd.DataFrame) -> pd.DataFrame:
    """The curves of a frame's trials, including those normalised from another folder."""
    import pandas as pd

    own, *others = (reading.curves() for reading in readings)
    if not others:
        return own
    identities = frame.loc[frame["normalised"].ne(""), "identity"]
    parts = (there[there["identity"].isin(identities)] for there in others)
    return pd.concat([own, *parts], ignore_index=True)


def read_records(out: Path) -> pd.DataFrame:
    """The prepared results frame of a folder of records, without width families."""
    return scored_part(read_trials(out))


def read_trials(out: Path) -> pd.DataFrame:
    """The results frame of a folder of records, with the targets that baselines set."""
    return read_store(out).trials


def scored_part(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials of a folder that count for a score, prepared: those outside width families."""
    from scoring.frame import prepare
    from scoring.widths import without_widths

    return prepare(without_widths(trials))


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV file of study times; numbers are parsed exactly.

    Raises:
        HarnessError: the file cannot be read, is not a CSV file, or a time is not a number.
    """
    import pandas as pd

    from scoring.clock import CLOCKS
    from scoring.times import read_numbers

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise HarnessError(
            f"cannot read the table {path}: {error}",
            "its columns: submission, workload, study, time_to_target_s",
        ) from error
    columns = {clock.table_column for clock in CLOCKS.values()} | {"last_miss", "first_hit"}
    return read_numbers(table, columns)
