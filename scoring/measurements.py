"""A fast reader of three columns of a CSV file of evaluations."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from typing import NamedTuple

from harness.core.errors import HarnessError

TIME = "score"
STEP = "global_step"


class Measurements(NamedTuple):
    """The evaluations of a trial, in file order; empty cells are NaN."""

    metric: Sequence[float]
    times_s: Sequence[float]
    steps: Sequence[float]


def read_measurements(path: str, metric: str) -> Measurements | None:
    """Read three columns of a file; None if there is no file or it has no evaluations.

    A metric without a column is NaN everywhere. Truncated rows are skipped.

    Raises:
        HarnessError: the file has evaluations but no time column, or is not CSV.
    """
    data = _read(path)
    if data is None:
        return None
    columns = _plain_columns(data)
    if columns is None:
        try:
            columns = _any_columns(data)
        except csv.Error as error:
            raise HarnessError(f"cannot read the evaluations {path}: {error}") from error
    names, cells = columns
    count = len(cells) // max(1, len(names))  # a file may begin with an empty line
    if not count:
        return None
    if TIME not in names:
        raise HarnessError(
            f"{path} has no column '{TIME}', the submission time", f"it has: {', '.join(names)}"
        )
    return Measurements(
        *(
            _floats(cells[names.index(name) :: len(names)]) if name in names else [math.nan] * count
            for name in (metric, TIME, STEP)
        )
    )


def _read(path: str) -> bytes | None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        parts = []
        while part := os.read(handle, 1 << 20):
            parts.append(part)
        return b"".join(parts)
    finally:
        os.close(handle)


def _plain_columns(data: bytes) -> tuple[list[str], list[bytes]] | None:
    """Names and all cells, in row order, of a file without quotes or incomplete rows."""
    head, _, body = data.partition(b"\n")
    names = [name.strip() for name in head.decode(errors="replace").split(",")]
    body = body.rstrip(b"\r\n")
    if not body:
        return names, []
    rows = body.count(b"\n") + 1
    cells = body.replace(b"\n", b",").split(b",")
    if b'"' in data or len(cells) != rows * len(names):
        return None
    return names, cells


def _any_columns(data: bytes) -> tuple[list[str], list[bytes]]:
    rows = list(csv.reader(io.StringIO(data.decode(errors="replace"))))
    names = [name.strip() for name in rows[0]]
    full = [row for row in rows[1:] if len(row) == len(names)]
    return names, [cell.encode() for row in full for cell in row]


def _floats(cells: list[bytes]) -> list[float]:
    try:
        return list(map(float, cells))
    except ValueError:
        return [_float(cell) for cell in cells]


def _float(cell: bytes) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
