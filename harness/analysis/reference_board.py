"""The board that ships with the harness, for comparison with a run.

It holds only the results frame of its trials, which is small and fast to read; the records behind
the frame are published as a bundle.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import CannotWriteError, HarnessError
from harness.core.files import write_through

if TYPE_CHECKING:
    import pandas as pd

    from scoring.placing import Place

LEFT_OUT = ("record", "location", "variables", "reason")
"""Columns left empty: they describe the machine of the board's trials, or are large."""


def board_name(suite: str, framework: str) -> str:
    """The file name of a suite's board."""
    return f"{suite}-{framework}.json.gz"


def write_board(frame: pd.DataFrame, path: Path) -> None:
    """Write the results frame of a board; equal frames produce identical bytes.

    Raises:
        CannotWriteError: the file cannot be written.
    """
    table = frame.assign(**dict.fromkeys(LEFT_OUT, ""))
    text = json.dumps(table.to_dict("records"), sort_keys=True)
    try:
        write_through(path, gzip.compress(text.encode(), mtime=0))
    except OSError as error:
        raise CannotWriteError.of(path, error, "") from error


def whole_studies(frame: pd.DataFrame, workloads: Collection[str]) -> pd.DataFrame:
    """The trials of the studies that have ended on every workload.

    Args:
        frame: results as `harness.record.tables.results_frame` returns them.
        workloads: the suite's workloads.
    """
    rows = frame[frame["state"].ne("unfinished") & frame["workload"].isin(workloads)]
    workload_counts = rows.groupby(["content_hash", "study"])["workload"].transform("nunique")
    return rows[workload_counts == len(workloads)].reset_index(drop=True)


def shipped_board(suite: str, framework: str) -> pd.DataFrame | None:
    """The prepared frame of the shipped board of a suite; None if there is none."""
    import pandas as pd

    from scoring.frame import prepare

    file = files("harness.analysis.boards") / board_name(suite, framework)
    if not file.is_file():
        return None
    return prepare(pd.DataFrame(json.loads(gzip.decompress(file.read_bytes()))))


def places_of(
    own: pd.DataFrame,
    board: pd.DataFrame | None,
    clock: str = "steps",
    reference: str = "adamw",
    store: Path | None = None,
) -> tuple[Place, ...]:
    """The places of a run's entries on a board.

    Args:
        own: prepared trials of the run; for seconds on another machine than the board's, including
            the reference's trials before and after them.
        board: prepared trials of a board; None for the shipped one.
        clock: `seconds` or `steps`.
        reference: the submission run on both machines, by which seconds are converted.
        store: the run's folder, for the commands that add to it.

    Raises:
        HarnessError: there is no board for this suite and framework, none of the two contains the
            reference, or they cannot be compared.
    """
    from scoring.placing import places
    from scoring.speedup import check_reference

    suite, framework = str(own["suite"].iloc[0]), str(own["framework"].iloc[0])
    board = shipped_board(suite, framework) if board is None else board
    if board is None:
        raise HarnessError(
            f"no board ships for suite {suite} in {framework}",
            "give one: harness baselines STORE --board BOARD; `make board` runs one",
        )
    check_reference(reference, {str(name) for part in (own, board) for name in part["submission"]})
    if clock == "seconds" and not is_of_its_machine(own, board):
        own = _in_its_seconds(own, board, reference)
    return places(board, own, clock, store)


def is_of_its_machine(own: pd.DataFrame, board: pd.DataFrame) -> bool:
    """Whether a run and a board were timed on the same machine."""
    return set(own["hardware"]) - {""} == set(board["hardware"])


def _in_its_seconds(own: pd.DataFrame, board: pd.DataFrame, reference: str) -> pd.DataFrame:
    """The trials of a run to place, in seconds of the board's machine.

    Studies that the board does not have are left out; they need no trials of the reference.
    """
    import pandas as pd

    from scoring.frame import finished_trials
    from scoring.normalise import brackets, convert, refuse_unless_between

    rows = finished_trials(own)
    is_reference = rows["submission"].eq(reference)
    new = rows[~is_reference & ~rows["content_hash"].isin(board["content_hash"])]
    on_board = set(zip(board["column"], board["study"], strict=True))
    shared_rows = new[[pair in on_board for pair in zip(new["column"], new["study"], strict=True)]]
    if shared_rows.empty:
        return new
    around = brackets(rows, reference)
    identities = set(shared_rows["identity"])
    refuse_unless_between((each for each in around if each.trial in identities), reference)
    return convert(board, pd.concat([shared_rows, rows[is_reference]]), reference)
