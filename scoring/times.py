"""Times to target of all studies as one array, the input to all computations."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from harness.core.errors import HarnessError, UnknownNameError

Array = npt.NDArray[np.float64]
SECONDS = "time_to_target_s"
STEPS = "step_at_target"
KEYS = ["submission", "workload", "study"]


@dataclass(frozen=True, eq=False)
class Times:
    """Times of S entries on W workloads in K studies.

    Rows, columns and studies are sorted, so nothing depends on the input order.
    """

    submissions: tuple[str, ...]
    workloads: tuple[str, ...]
    studies: tuple[str, ...]
    hit: Array
    """(S, W, K): the time to target, which is the crossing or the first hit, depending on the
    rules; infinite if not reached, NaN if there is no study."""
    miss: Array
    """(S, W, K): the time of the last miss before it; equal to it if unknown."""
    limit: Array
    """(S, W): how far trials went that did not reach the target; infinite if unknown. In seconds
    their budget; by another clock what they counted."""
    first_hit: Array | None = None
    """(S, W, K): the time of the first hit after it; None if equal to it."""

    @property
    def latest(self) -> Array:
        """(S, W, K): the late ends of the intervals that start at `miss`."""
        return self.hit if self.first_hit is None else self.first_hit

    def index(self, submission: str) -> int:
        """The row index of a submission."""
        return self.submissions.index(entry_among(self.submissions, submission))

    def take(self, submissions: Sequence[str]) -> Times:
        """The times of only these entries."""
        rows = [self.index(name) for name in submissions]
        return replace(
            self,
            submissions=tuple(submissions),
            hit=self.hit[rows],
            miss=self.miss[rows],
            limit=self.limit[rows],
            first_hit=None if self.first_hit is None else self.first_hit[rows],
        )


def entry_among(entries: Collection[str], name: str) -> str:
    """The name of an entry, if it is among these.

    Raises:
        UnknownNameError: it is not; the message suggests the most similar one.
    """
    if name not in entries:
        hint = "`harness run --submission NAME` into the same folder adds another"
        raise UnknownNameError("submission in these results", name, entries, hint)
    return name


def from_table(
    table: pd.DataFrame, column: str = SECONDS, limits: Mapping[tuple[str, str], float] = {}
) -> Times:
    """Times from a table with the columns submission, workload, study and the clock's column.

    NaN is a study without an evaluated trial; infinity, or NaN with an infinite
    `time_to_target_s`, is a target not reached. The columns `last_miss` and `first_hit` are
    optional, and of use with seconds only.

    Args:
        table: one row per study; duplicate rows count once.
        column: name of the time column.
        limits: `Times.limit` of each (submission, workload), where known.

    Raises:
        HarnessError: a column is missing, a time is negative, or two rows of a study conflict.
    """
    values = _clock_values(table, column)
    codes, names = zip(*(_factorize(table[key]) for key in KEYS), strict=True)
    shape = tuple(len(part) for part in names)
    flat = np.ravel_multi_index(codes, shape) if len(table) else np.empty(0, dtype=np.intp)
    _refuse_conflicts(table, flat, values)
    hit = np.full(shape, np.nan)
    hit.reshape(-1)[flat] = values
    intervals = ("last_miss", "first_hit") if column == SECONDS else ()
    ends = {name: hit.copy() for name in intervals if name in table.columns}
    for name, end in ends.items():
        bounds = table[name].to_numpy(dtype=np.float64)
        end.reshape(-1)[flat] = np.where(np.isfinite(bounds) & np.isfinite(values), bounds, values)
    limit = np.full(shape[:2], np.inf)
    for (submission, workload), value in limits.items():
        limit[names[0].index(submission), names[1].index(workload)] = value
    miss = ends.get("last_miss", hit.copy())
    return Times(names[0], names[1], names[2], hit, miss, limit, ends.get("first_hit"))


def read_numbers(table: pd.DataFrame, columns: Collection[str]) -> pd.DataFrame:
    """Convert some columns of a table of strings to numbers; empty cells are NaN.

    Raises:
        HarnessError: a cell of these columns is not a number.
    """
    numbers = {}
    for column in table.columns.intersection(list(columns)):
        try:
            numbers[column] = [float(cell or "nan") for cell in table[column]]
        except ValueError as error:
            raise HarnessError(
                f"a cell of column '{column}' is not a number: {error}",
                "write inf where the target was not reached, nan where nothing was evaluated",
            ) from error
    return table.assign(**numbers)


def _factorize(column: pd.Series[str]) -> tuple[npt.NDArray[np.intp], tuple[str, ...]]:
    codes, names = pd.factorize(column.astype(str), sort=True)
    return codes, tuple(str(name) for name in names)


def _clock_values(table: pd.DataFrame, column: str) -> Array:
    missing_names = [name for name in [*KEYS, column] if name not in table.columns]
    if missing_names:
        raise HarnessError(
            f"the table of times lacks the column(s) {', '.join(missing_names)}",
            f"it needs: {', '.join([*KEYS, SECONDS])}, and {STEPS} to score by steps",
        )
    values = table[column].to_numpy(dtype=np.float64)
    if column != SECONDS and SECONDS in table.columns:
        seconds = table[SECONDS].to_numpy(dtype=np.float64)
        values = np.where(np.isnan(values) & np.isposinf(seconds), np.inf, values)
    if (values < 0).any():
        row = int(np.flatnonzero(values < 0)[0])
        raise HarnessError(
            f"a time to target is negative: {values[row]} in {_row(table, row)}",
            "times are at least zero, inf (not reached) or nan (no evaluated trial)",
        )
    return values


def _refuse_conflicts(table: pd.DataFrame, flat: npt.NDArray[np.intp], values: Array) -> None:
    order = np.lexsort((values, flat))
    same = flat[order][1:] == flat[order][:-1]
    left, right = values[order][:-1], values[order][1:]
    differ = same & ~((left == right) | (np.isnan(left) & np.isnan(right)))
    if differ.any():
        at = int(np.flatnonzero(differ)[0])
        raise HarnessError(
            f"two rows of one study differ: {left[at]} and {right[at]} "
            f"in {_row(table, int(order[at]))}",
            "keep one row for each submission, workload and study",
        )


def _row(table: pd.DataFrame, row: int) -> str:
    return "/".join(str(table[key].iloc[row]) for key in KEYS)
