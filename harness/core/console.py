"""The one kind of console that is printed on: it shows text as it is, whoever wrote it."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from harness.core.text import displayable


class PlainConsole(Console):
    """A console to which brackets are no markup, and control characters and ends of lines no text.

    Every string that is printed, the cells of tables included, comes through `render_str`; what has
    several lines is printed line by line.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text with nothing in it but what prints; see `rich.console.Console`."""
        return super().render_str(displayable(text), **options)
