"""Text of others made fit to be shown: names, values and reasons of entries are hostile input.

Whatever prints or draws text that comes from a record, a file of an author or a worker takes it
through here: to a terminal `displayable` (`harness.core.console` applies it to all it prints), into
a figure `label`, into a table that a spreadsheet opens `csv_text`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

LONGEST_LABEL = 80
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet takes for a formula."""


def displayable(text: str, *, lines: bool = False) -> str:
    """A text in which nothing commands a terminal: what does not print is spelt out.

    Args:
        text: any text.
        lines: whether it may have several lines; otherwise line ends are spelt out, too, so that
            nothing that follows one is taken for a line of this program.
    """
    return "".join(c if c.isprintable() or (lines and c == "\n") else ascii(c)[1:-1] for c in text)


def label(text: str) -> str:
    """A text for a figure: cut to what fits, and its dollar signs begin no formula."""
    excerpt = text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 3]}..."
    return displayable(excerpt).replace("$", r"\$")


def csv_text(table: pd.DataFrame) -> str:
    """A table as CSV in which no text is a spreadsheet's formula; numbers stay numbers."""
    return table.map(_cell).rename(columns=_cell).to_csv(index=False)


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
