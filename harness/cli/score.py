"""`harness score`: times to target, steps to target and scores, of records or of a table."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.errors import HarnessError

if TYPE_CHECKING:
    import pandas as pd

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
    typer.Option(help="A rule to override, as a refusal names it; the output is stamped."),
]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write everything here as JSON.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", help="Write the table here as CSV.")]


def score(
    out: Out = None,
    *,
    times: TimesFile = None,
    rules: RulesName = "guided-descent",
    clock: ClockName = "seconds",
    allow: Allow = None,
    json: JsonFile = None,
    csv: CsvFile = None,
) -> None:
    """Print times to target, steps to target and the score of every entry."""
    from scoring.report.console import print_board
    from scoring.report.tables import workload_table

    board, frame = load_board(out, times, rules, clock, allow or [])
    table = workload_table(board, frame)
    print_board(board, table)
    if json is not None:
        document = board.to_json()
        write_text(json, json_module.dumps(document, indent=1, allow_nan=False) + "\n")
    if csv is not None:
        write_text(csv, table.to_csv(index=False))


def load_board(
    out: Path | None, times: Path | None, rules: str, clock: str, allow: list[str]
) -> tuple[Scoreboard, pd.DataFrame | None]:
    """The scoreboard of a folder of records or of a table, and the records' frame.

    Raises:
        HarnessError: both or neither are given, or one cannot be read or scored.
    """
    from scoring.evaluate import score_results, score_table
    from scoring.rules import load_rules

    if (out is None) == (times is None):
        raise HarnessError(
            "give either a folder of records or a table of times",
            "harness score OUT   or   harness score --times FILE.csv --rules algoperf-v0.5",
        )
    if times is not None:
        return score_table(read_table(times), load_rules(rules), clock, allow), None
    frame = read_records(out or Path())
    return score_results(frame, load_rules(rules), clock, allow), frame


def read_records(out: Path) -> pd.DataFrame:
    """The prepared results frame of a folder of records."""
    from harness.record.table import results_frame
    from scoring.frame import prepare

    if not out.is_dir():
        raise HarnessError(
            f"there is no folder '{out}'", "make one: harness run --workload mlp --out OUT"
        )
    return prepare(results_frame(out))


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
    columns = {clock.table_column for clock in CLOCKS.values()} | {"last_miss"}
    return read_numbers(table, columns)


def write_text(path: Path, text: str) -> None:
    """Write a file and its folders.

    Raises:
        HarnessError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"cannot write {path}: {error}") from error
