"""Schemas of frames: columns with name, type, meaning and origin, and their checks.

`scoring.columns` declares the columns of the two frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from harness.core.errors import HarnessError

Kind = Literal["text", "number", "count", "flag", "values"]
Maker = Literal["record", "marks", "scoring", "others"]
KINDS: Mapping[Kind, str] = {
    "text": "text; '' where there is none",
    "number": "a float; NaN where there is none",
    "count": "a whole number, never missing",
    "flag": "true or false",
    "values": "numbers and texts by name",
}
MAKERS: Mapping[Maker, str] = {
    "record": "`harness.record.tables`",
    "marks": "`harness.record.standing`",
    "scoring": "scoring itself",
    "others": "whoever measures it; no record of this harness has it",
}


@dataclass(frozen=True)
class Column:
    """One column of a frame."""

    name: str
    kind: Kind
    meaning: str
    is_required: bool = True
    """Whether a frame without the column is refused."""
    maker: Maker = "record"
    """The code that adds the column."""

    def mismatch(self, values: pd.Series[Any]) -> str:
        """A message if the values are not of the column's type; "" if they are."""
        return (
            ""
            if values.empty or _is_of(self.kind, values)
            else f"{self.name} is not of type '{self.kind}'"
        )


@dataclass(frozen=True)
class FrameSchema:
    """The columns of a frame that scoring knows; other columns are ignored."""

    title: str
    columns: tuple[Column, ...]

    def names(self, maker: Maker) -> tuple[str, ...]:
        """The names of the columns that a maker adds, in order."""
        return tuple(column.name for column in self.columns if column.maker == maker)

    @property
    def required_columns(self) -> tuple[str, ...]:
        """The names of the required columns, in order."""
        return tuple(column.name for column in self.columns if column.is_required)

    def check(self, frame: pd.DataFrame) -> None:
        """Check that a frame has the required columns, and values of the declared types.

        Columns that scoring itself adds are not checked, because they are recomputed.

        Raises:
            HarnessError: it does not; the message names the columns.
        """
        missing_names = [name for name in self.required_columns if name not in frame.columns]
        if missing_names:
            raise HarnessError(
                f"the {self.title} lack the column(s) {', '.join(missing_names)}",
                f"required: {', '.join(self.required_columns)}",
            )
        for column in self.columns:
            if column.maker == "scoring" or column.name not in frame.columns:
                continue
            if why := column.mismatch(frame[column.name]):
                raise HarnessError(
                    f"the {self.title} are invalid: {why}",
                    f"{column.name} is {column.meaning}: {KINDS[column.kind]}",
                )

    def table(self) -> str:
        """The columns as a Markdown table for the documentation."""
        lines = [
            f"| `{c.name}` | {c.kind} | {'yes' if c.is_required else ''} | {MAKERS[c.maker]} "
            f"| {c.meaning} |"
            for c in self.columns
        ]
        return "\n".join(["| column | type | required | made by | meaning |", RULE, *lines])


RULE = "|---|---|---|---|---|"


class FrameRows:
    """Collects the rows of a frame by column, which takes a tenth of the memory.

    Args:
        names: the columns, which every row must have.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._columns: dict[str, list[object]] = {name: [] for name in names}

    def add(self, row: Mapping[str, object]) -> None:
        """Add a row.

        Raises:
            ValueError: the row's columns differ.
        """
        if row.keys() != self._columns.keys():
            raise ValueError(f"other columns than declared: {row.keys() ^ self._columns.keys()}")
        for name, value in row.items():
            self._columns[name].append(value)

    def extend(self, other: FrameRows) -> None:
        """Append the rows of another collection with the same columns."""
        for name, values in other._columns.items():
            self._columns[name] += values

    def frame(self) -> pd.DataFrame:
        """All rows so far."""
        return pd.DataFrame(self._columns)


def _is_of(kind: Kind, values: pd.Series[Any]) -> bool:
    if kind in ("text", "flag"):
        dtype = pd.api.types.infer_dtype(values, skipna=False)
        return dtype == ("string" if kind == "text" else "boolean") and not values.hasnans
    if kind == "values":
        return all(isinstance(value, dict) for value in values)
    numbers = _numbers(values)
    if numbers is None:
        return False
    return kind == "number" or bool((np.isfinite(numbers) & (numbers % 1 == 0)).all())


def _numbers(values: pd.Series[Any]) -> np.ndarray | None:
    """Values as floats; None if one of them is not a number, for example a text or a bool."""
    if not pd.api.types.is_numeric_dtype(values):
        kinds = pd.api.types.infer_dtype(values, skipna=True)
        if kinds not in ("floating", "integer", "mixed-integer-float", "empty"):
            return None
    elif pd.api.types.is_bool_dtype(values):
        return None
    return values.to_numpy(dtype=np.float64, na_value=np.nan)
