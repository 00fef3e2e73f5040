"""`harness watch`: continuously show the progress of a folder's trials."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

EVERY_S = 2.0
NICENESS = 19


def watch(
    store: Annotated[Path, typer.Argument(help="A folder of records, as `harness run` writes it.")],
) -> None:
    """Show what is training and what has ended, from the records alone; q or Ctrl-C quits.

    Trials are not disturbed: it reads every two seconds, at the lowest priority. Outside a terminal
    it prints once.
    """
    from rich.live import Live

    from harness.core.console import PlainConsole
    from harness.display.overview import StoreReader
    from harness.display.watch import store_view

    console, reader = PlainConsole(), StoreReader(store)
    first = store_view(str(store), reader.read())
    if not console.is_terminal:
        console.print(first)
        return
    os.nice(NICENESS)
    with (
        _watch_keys() as is_over,
        suppress(KeyboardInterrupt),
        Live(first, console=console, screen=True, auto_refresh=False) as live,
    ):
        live.refresh()
        while not is_over():
            live.update(store_view(str(store), reader.read()), refresh=True)


@contextmanager
def _watch_keys() -> Iterator[Callable[[], bool]]:
    """A function that waits until the next update; returns True if q was pressed meanwhile."""
    if not sys.stdin.isatty():
        yield _wait
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    tty.setcbreak(terminal)
    try:
        yield lambda: _wait_for_q(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _wait() -> bool:
    time.sleep(EVERY_S)
    return False


def _wait_for_q(terminal: int) -> bool:
    readable, _, _ = select.select([terminal], [], [], EVERY_S)
    return bool(readable) and os.read(terminal, 1) in (b"q", b"Q", b"")
