"""Folders of records and tables of times as scoreboards: what all commands that score share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    import pandas as pd

    from scoring.evidence import Evidence
    from scoring.rules import Rules
    from scoring.scoreboard import Scoreboard


@dataclass(frozen=True)
class Source:
    """Where times come from and how they are judged: what scoring commands share."""

    out: Path | None = None
    times: Path | None = None
    rules: str = "guided-descent"
    clock: str = "seconds"
    allow: tuple[str, ...] = ()
    normalise: Path | None = None
    reference: str = "adamw"


def load_board(source: Source) -> tuple[Scoreboard, pd.DataFrame | None]:
    """The scoreboard of a folder of records or of a table, and the frame of the scored trials.

    Raises:
        HarnessError: both or neither are given, or one cannot be read or scored.
    """
    from scoring.evaluate import score_table
    from scoring.rules import load_rules

    rules = load_rules(source.rules)
    if source.normalise is not None and source.out is None:
        raise HarnessError("--normalise goes with a folder", "harness score OUT --normalise DIR")
    if source.out is None and source.times is not None:
        return score_table(read_table(source.times), rules, source.clock, source.allow), None
    if source.out is None or source.times is not None:
        raise HarnessError(
            "give either a folder of records or a table of times",
            "harness score OUT   or   harness score --times FILE.csv --rules algoperf-v0.5",
        )
    return score_records(source, source.out, rules)


def score_records(source: Source, out: Path, rules: Rules) -> tuple[Scoreboard, pd.DataFrame]:
    """The scoreboard of a folder of records, checked as they are read, and its trials' frame."""
    from scoring.evaluate import score_results, scored_trials

    frame, folders, curves = read_records(out), [out], None
    if source.normalise is not None:
        from scoring.normalise import normalise

        frame = normalise(frame, read_records(source.normalise), source.reference)
        folders.append(source.normalise)
    evidence = read_evidence(folders)
    if rules.best_trial == "evaluation":
        curves = _curves(source, frame)
    board = score_results(frame, rules, source.clock, source.allow, curves, evidence=evidence)
    return board, scored_trials(frame, source.allow)


def read_evidence(folders: list[Path]) -> Evidence:
    """What does not fit in folders of records: identities, chains, ledgers; nothing is replayed."""
    from harness.verification.store import verify_store
    from scoring.evidence import Evidence

    found = [verify_store(folder, replays=False) for folder in folders]
    return Evidence(
        tuple(mismatch for verification in found for mismatch in verification.mismatches),
        tuple(folder for verification in found for folder in verification.missing),
    )


def _curves(source: Source, frame: pd.DataFrame) -> pd.DataFrame:
    """The curves of a frame's trials: of the folder, and of the one that was normalised."""
    import pandas as pd

    from harness.record.tables import curves_frame

    own = [curves_frame(source.out)] if source.out else []
    if source.normalise is None:
        return own[0]
    there = curves_frame(source.normalise)
    scaled = frame.loc[frame["normalised"].ne(""), "identity"]
    return pd.concat([*own, there[there["identity"].isin(scaled)]], ignore_index=True)


def read_records(out: Path) -> pd.DataFrame:
    """The prepared results frame of a folder of records, without those of width families."""
    from scoring.frame import prepare
    from scoring.widths import without_widths

    return prepare(without_widths(read_trials(out)))


def read_trials(out: Path) -> pd.DataFrame:
    """The results frame of a folder of records, with the targets that baselines set."""
    from harness.record.tables import curves_frame, results_frame
    from scoring.baselines import with_baseline_targets

    if not out.is_dir():
        raise HarnessError(
            f"there is no folder '{out}'", "make one: harness run --workload mlp --out OUT"
        )
    return with_baseline_targets(results_frame(out), lambda: curves_frame(out))


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file of study times, its numbers read to the last bit.

    Raises:
        HarnessError: the file cannot be read, is no CSV, or a time is no number.
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
