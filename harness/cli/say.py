"""Print lines safely, even if they contain text from others."""

from __future__ import annotations

import shlex

import typer

from harness.core.text import displayable


def say(text: str, *, err: bool = False) -> None:
    """Print a text in which the only control characters that reach the terminal are newlines.

    Args:
        text: one or several lines; foreign text in it is on a single line, see `displayable`.
        err: whether to print to standard error.
    """
    typer.echo(displayable(text, lines=True), err=err)


def quote(*words: object) -> str:
    """A command quoted for a shell."""
    return shlex.join(map(str, words))
