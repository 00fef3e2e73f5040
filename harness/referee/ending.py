"""Errors that end a trial before it reaches its target or spends its budget."""

from __future__ import annotations

import traceback
from pathlib import Path

from harness.plan.trial import State
from harness.referee.checks import printable

LONGEST = 500
"""The longest text of an error, which may come from a worker."""


class TrialEndedError(Exception):
    """The trial ends in a state, for a reason."""

    def __init__(self, state: State, reason: str) -> None:
        super().__init__(reason)
        self.state = state
        self.reason = reason


class RankKilledError(TrialEndedError):
    """One of the worker's ranks has died without an error report.

    Args:
        reason: which rank, and how it ended.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("crashed", reason)


def describe_error(error: Exception) -> str:
    """Why and where a referee failed, as text for the record."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(where.filename).name}:{where.lineno} in {where.name}"
    words = printable(f"{type(error).__name__}: {error}"[:LONGEST])
    return f"the referee could not go on: {words} ({place})"
