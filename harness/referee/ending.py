"""How a trial ends before its target or its budget does."""

from __future__ import annotations

import traceback
from pathlib import Path

from harness.plan.trial import State
from harness.referee.checks import printable

LONGEST = 500
"""Of an error's words, which may be of a worker's making."""


class TrialEndedError(Exception):
    """The trial ends here, in a state, for a reason."""

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason


class RankKilledError(TrialEndedError):
    """One of the worker's ranks is gone without a word of its own.

    Args:
        reason: which, and how it ended.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("crashed", reason)


def describe_error(error: Exception) -> str:
    """Why a referee could not go on, and where, in words fit for the record."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}:{where.lineno} in {where.name}"
    words = printable(f"{type(error).__name__}: {error}"[:LONGEST])
    return f"the referee could not go on: {words} ({place})"
