"""The console that all commands print on: it shows untrusted text safely, without markup."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from harness.core.text import displayable


class PlainConsole(Console):
    """A console that ignores markup in brackets, and spells out control characters and line ends.

    Every printed string, the cells of tables included, passes through `render_str`; text of several
    lines is printed line by line.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text with all non-printing characters spelt out; see `rich.console.Console`."""
        return super().render_str(displayable(text), **options)
