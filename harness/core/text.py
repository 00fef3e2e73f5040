"""Escapes untrusted text for display: names, values and reasons of entries are hostile input.

All text from a record, an author's file or a worker passes through here before it is shown:
`displayable` for a terminal (`harness.core.console` applies it to everything it prints), `label`
for a figure, `csv_text` for a table that a spreadsheet may open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

LONGEST_LABEL = 80
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""The characters with which a cell begins that a spreadsheet takes for a formula."""


def displayable(text: str, *, lines: bool = False) -> str:
    """A text without terminal control sequences: non-printing characters are spelt out.

    Args:
        text: any text.
        lines: whether it may have several lines; otherwise line ends are spelt out too, so that the
            text cannot fake a line of output.
    """
    return "".join(c if c.isprintable() or (lines and c == "\n") else ascii(c)[1:-1] for c in text)


def label(text: str) -> str:
    """A text for a figure: shortened to fit, with dollar signs escaped so that none starts a
    formula.
    """
    excerpt = text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 3]}..."
    return displayable(excerpt).replace("$", r"\$")


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV, with texts escaped so that none is a formula; numbers stay numbers."""
    return table.map(_cell).rename(columns=_cell).to_csv(index=False)


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
