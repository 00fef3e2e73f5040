"""Choose the display for a console."""

from __future__ import annotations

from harness.core.console import PlainConsole
from harness.display.base import Display
from harness.display.live import LiveDisplay
from harness.display.plain import PlainDisplay


def display_for(console: PlainConsole) -> Display:
    """The live display in a terminal, plain lines elsewhere."""
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)
