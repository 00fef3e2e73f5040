"""What a tracker is sent, and what it is: a function that sends one ended trial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from harness.record.sinks.scalars import Scalars
from harness.submission.reference import Scalar

PROJECT = "guided-descent"
"""Where runs go if neither environment nor settings of a tracker name a project."""


@dataclass(frozen=True)
class TrackedRun:
    """An ended trial in the words of experiment trackers."""

    key: str
    """Of this attempt and of no other: what is sent twice is one run."""
    name: str
    group: str
    """The entry and the workload, whose trials belong together."""
    point: Mapping[str, Scalar]
    facts: Mapping[str, str]
    """What else tells trials apart."""
    curves: tuple[Scalars, ...]
    """One for each step that has values, in their order."""
    summary: Mapping[str, float]
    steps: int
    """How many were made."""
    is_success: bool
    begun_at: datetime
    ended_at: datetime


class Tracker(Protocol):
    """What an entry point of `guided_descent.trackers` names; it is called in its own process."""

    def __call__(self, run: TrackedRun) -> None:
        """Send a run, and return when all of it is sent.

        What is raised, and what takes longer than a minute, is reported and ends no trial.
        """
        ...
