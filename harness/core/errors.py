"""Errors that a user can act on: what is wrong, the value, what is allowed, what to try next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from harness.core.text import displayable

FREE_SPACE = "free some space and run the same command again; finished trials are kept"


class HarnessError(Exception):
    """A mistake that the user can correct, or something missing; printed without a traceback.

    Args:
        message: what is wrong, with the value.
        hint: what is allowed, or the next command to try.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        message = displayable(self.message)  # values of others stand in it, which have no lines
        return f"{message}\n  {displayable(self.hint, lines=True)}" if self.hint else message


class CannotWriteError(HarnessError):
    """Something could not be written: the disk is full, or the folder is not writable."""

    @classmethod
    def of(cls, path: Path, error: OSError, hint: str = FREE_SPACE) -> Self:
        """The error of one file, with what to do next."""
        return cls(f"cannot write {path}: {error}", hint)


class UnknownNameError(HarnessError):
    """An unknown name; the message lists the known names and the closest one."""

    def __init__(self, kind: str, name: str, known_names: Iterable[str], hint: str = "") -> None:
        names = sorted(known_names)
        near = difflib.get_close_matches(name, names, n=1)
        guess = f"; did you mean '{near[0]}'?" if near else ""
        choices = f"known: {', '.join(names)}" if names else f"no {kind} is known"
        super().__init__(
            f"unknown {kind} '{name}'{guess}", "\n  ".join(filter(None, [choices, hint]))
        )
