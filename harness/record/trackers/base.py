"""The interface of trackers: a function that sends one ended trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from harness.record.sinks.scalars import Scalars
from harness.submission.reference import Scalar

PROJECT = "guided-descent"
"""The project for runs if neither the environment nor a tracker's settings name one."""


@dataclass(frozen=True)
class TrackedRun:
    """An ended trial in the terms of experiment trackers."""

    key: str
    """A unique key of the attempt, so that sending it twice gives one run."""
    name: str
    group: str
    """Entry and workload, which group trials."""
    point: Mapping[str, Scalar]
    facts: Mapping[str, str]
    """Further properties of the trial."""
    curves: tuple[Scalars, ...]
    """The scalars of each step that has some, in order."""
    summary: Mapping[str, float]
    steps: int
    """How many steps were made."""
    is_success: bool
    begun_at: datetime
    ended_at: datetime


class Tracker(Protocol):
    """What an entry point of `guided_descent.trackers` names; called in its own process."""

    def __call__(self, run: TrackedRun) -> None:
        """Send a run, and return when everything has been sent.

        Exceptions, and calls that take longer than a minute, are reported and do not affect trials.
        """
        ...
