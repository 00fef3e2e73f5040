"""Errors that a user can act on: what is wrong, the value, what is allowed, what to try next."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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

    @property
    def in_one_line(self) -> str:
        """The message and the hint, whose lines are joined."""
        return "; ".join(filter(None, (*self.message.split("\n"), " ".join(self.hint.split()))))

    def __str__(self) -> str:
        message = self._displayable_message
        return f"{message}\n  {displayable(self.hint, lines=True)}" if self.hint else message

    @property
    def _displayable_message(self) -> str:
        return displayable(self.message)  # values of others stand in it, which have no lines


class ManyReasonsError(HarnessError):
    """An error for several reasons, each in a line of its own.

    Args:
        reasons: what is wrong, one line each.
        hint: what is allowed, or the next command to try.
    """

    def __init__(self, reasons: Iterable[str], hint: str = "") -> None:
        super().__init__("\n".join(map(displayable, reasons)), hint)

    @property
    def _displayable_message(self) -> str:
        return self.message


class CannotWriteError(HarnessError):
    """Something could not be written: the disk is full, or the folder is not writable."""

    @classmethod
    def of(cls, path: Path, error: OSError, hint: str = FREE_SPACE) -> Self:
        """The error of one file, with what to do next."""
        return cls(f"cannot write {path}: {error}", hint)


@contextmanager
def stopping_the_run(what: str, advice: str) -> Iterator[None]:
    """Make any failure of an outside part stop the run, as it is no result of the trial.

    Args:
        what: the part, in words.
        advice: what to do before the same command is run again; may be empty.

    Raises:
        CannotWriteError: it failed.
    """
    try:
        yield
    except CannotWriteError:
        raise
    except Exception as error:  # of any kind
        hint = f"{advice}run the same command again; finished trials are kept"
        raise CannotWriteError(f"{what} failed: {type(error).__name__}: {error}", hint) from error


class UnknownNameError(HarnessError):
    """An unknown name; the message lists the known names and suggests one.

    Args:
        kind: what the name should name, in words.
        name: the unknown name.
        known_names: the names to list.
        hint: a further line.
        guess: the name to suggest; by default the known name that is most similar.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        known_names: Iterable[str],
        hint: str = "",
        *,
        guess: str | None = None,
    ) -> None:
        names = sorted(known_names)
        guess = nearest(name, names) if guess is None else guess
        choices = listing("known", names) if names else f"no {kind} is known"
        super().__init__(
            f"unknown {kind} '{name}'{question(guess)}",
            "\n  ".join(filter(None, [choices, hint])),
        )


def listing(label: str, names: Iterable[str]) -> str:
    """A label and names, wrapped so that indented by two they fit into 80 columns."""
    text = f"{label}: {', '.join(names)}"
    return textwrap.fill(
        text, 78, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )


def nearest(name: str, names: Iterable[str]) -> str:
    """The most similar of some names; empty if none is similar."""
    return next(iter(difflib.get_close_matches(name, sorted(names), n=1)), "")


def question(guess: str) -> str:
    """The end of a message that suggests a name; empty without one."""
    return f"; did you mean '{guess}'?" if guess else ""
