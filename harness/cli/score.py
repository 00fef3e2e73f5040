"""`harness score`: times to target, steps to target and scores, of records or of a table."""

from __future__ import annotations

import json as json_module
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.core.text import csv_text

if TYPE_CHECKING:
    import pandas as pd

    from scoring.evidence import Evidence
    from scoring.rules import Rules
    from scoring.scoreboard import Scoreboard

Out = Annotated[Path | None, typer.Argument(help="A folder of records, as `harness run` wrote it.")]
TimesFile = Annotated[
    Path | None,
    typer.Option(help="Score this CSV instead: submission, workload, study, time_to_target_s."),
]
RulesName = Annotated[str, typer.Option(help="Rules: a shipped name, or the path of a TOML file.")]
ClockName = Annotated[str, typer.Option(help="seconds, steps, examples, flops or joules.")]
Allow = Annotated[
    list[str] | None,
    typer.Option(help="A rule to override, as a refusal names it; the output is flagged."),
]
Normalise = Annotated[
    Path | None,
    typer.Option(
        help="Records of another machine, put into OUT's seconds by the reference's trials that "
        "were run there in between; the output is flagged.",
        show_default=False,
    ),
]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write everything here as JSON.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", help="Write the table here as CSV.")]


Reference = Annotated[str, typer.Option(help="The submission that speed-ups are measured against.")]
Resamples = Annotated[
    int, typer.Option(min=100, help="Resamples (or draws) behind intervals and ranks.")
]


@dataclass(frozen=True)
class Source:
    """Where times come from and how they are judged: the flags that scoring commands share."""

    out: Path | None = None
    times: Path | None = None
    rules: str = "guided-descent"
    clock: str = "seconds"
    allow: tuple[str, ...] = ()
    normalise: Path | None = None
    reference: str = "adamw"


def score(
    out: Out = None,
    *,
    times: TimesFile = None,
    rules: RulesName = "guided-descent",
    clock: ClockName = "seconds",
    reference: Reference = "adamw",
    resamples: Resamples = 2000,
    allow: Allow = None,
    normalise: Normalise = None,
    json: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Print times to target, steps to target and the score of every entry."""
    from scoring.report.console import print_board, print_misses
    from scoring.report.misses import nothing_reached
    from scoring.report.tables import workload_table
    from scoring.uncertainty import assess

    allowed = tuple(allow or ())
    board, frame = load_board(Source(out, times, rules, clock, allowed, normalise, reference))
    table = workload_table(board, frame)
    sure = assess(board, reference, resamples)
    if frame is not None and (text := nothing_reached(frame)):
        print_misses(board, text)
    else:
        print_board(board, table, sure)
    if json is not None:
        document = board.to_json() | {"uncertainty": sure.to_json(board) if sure else None}
        write_whole(json, json_module.dumps(document, indent=1, allow_nan=False) + "\n")
    if csv is not None:
        write_whole(csv, csv_text(table))


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
