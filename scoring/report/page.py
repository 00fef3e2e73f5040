"""One self-contained HTML page of a folder of results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from harness.errors import HarnessError
from scoring.frame import prepare
from scoring.report.figures import figures_of
from scoring.report.tables import SCREENING, entry_table, number, trial_table, workload_table
from scoring.scoreboard import Scoreboard
from scoring.studies import study_table


def render_page(board: Scoreboard, frame: pd.DataFrame, curves: pd.DataFrame, folder: Path) -> str:
    """The page as text: no link leaves it but those to records, relative to `folder`."""
    frame = prepare(frame)
    trials = trial_table(frame)
    environment = Environment(
        loader=PackageLoader("scoring", "report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["number"] = number
    return environment.get_template("template.html").render(
        board=board,
        screening=SCREENING if board.is_screening else "",
        facts=_facts(frame),
        entries=entry_table(board).to_dict("records"),
        workloads=_with_sources(board, frame),
        trials=_with_links(trials, folder),
        figures=figures_of(board, trials, curves),
    )


def write_page(text: str, path: Path) -> Path:
    """Write the page; the file that was written.

    Raises:
        HarnessError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise HarnessError(f"cannot write the report {path}: {error}") from error
    return path


def _facts(frame: pd.DataFrame) -> Mapping[str, str]:
    """What all trials share, in the words of the frame."""
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


def _with_sources(board: Scoreboard, frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The lines of the workload table with the trials that each time comes from."""
    ended = frame[frame["state"] != "unfinished"]
    chosen = study_table(ended, board.clock)
    sources = {
        key: list(part["identity"]) for key, part in chosen.groupby(["workload", "submission"])
    }
    lines = workload_table(board, frame).to_dict("records")
    for line in lines:
        line["sources"] = sources.get((line["workload"], line["submission"]), [])
        line["time"] = line[board.clock.table_column]
        ratio = float(line["ratio_to_best"])
        line["ratio"] = f"{ratio:.3f}" if np.isfinite(ratio) else "-"
    return [{str(key): value for key, value in line.items()} for line in lines]


def _with_links(trials: pd.DataFrame, folder: Path) -> list[dict[str, Any]]:
    lines = []
    for line in trials.to_dict("records"):
        record = Path(str(line["record"]))
        inside = record.is_absolute() and record.is_relative_to(folder.resolve())
        shown = record.relative_to(folder.resolve()) if inside else record
        lines.append({str(key): value for key, value in line.items()} | {"record": str(shown)})
    return lines
