"""The help of commands, wrapped to the terminal."""

from __future__ import annotations

import inspect

import typer


def join_help_lines(app: typer.Typer) -> None:
    """Join the lines of each paragraph of the commands' docstrings.

    Typer does so for the first paragraph alone and breaks the others at their lines in the source,
    which are longer than those of a terminal.
    """
    for command in app.registered_commands:
        text = command.help or inspect.getdoc(command.callback) or ""
        command.help = "\n\n".join(part.replace("\n", " ") for part in text.split("\n\n"))
    for group in app.registered_groups:
        if group.typer_instance is not None:
            join_help_lines(group.typer_instance)
