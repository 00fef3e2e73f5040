"""Fails with words that command a terminal."""

from .honest import Honest


class Submission(Honest):
    def act(self) -> None:
        raise RuntimeError("\x1b]0;owned\x07\x1b[2J\u202e[red]done[/red]")
