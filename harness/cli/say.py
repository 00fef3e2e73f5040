"""How a command says a line, whoever wrote what is in it."""

from __future__ import annotations

import shlex

import typer

from harness.core.text import displayable


def say(text: str, *, err: bool = False) -> None:
    """Print a text of the program's, in which only its own ends of lines command the terminal.

    Args:
        text: one line or several; what another wrote in it is a single line, see `displayable`.
        err: whether it goes to standard error.
    """
    typer.echo(displayable(text, lines=True), err=err)


def quote(*words: object) -> str:
    """A command as a shell takes it, whatever its words hold."""
    return shlex.join(map(str, words))
