"""Gatherers: collect data beside the results from the trials of a folder while they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from harness.plan.trial import TrialRecord
    from harness.record.attempts import Attempt


class Gatherer(Protocol):
    """Collects data from each trial as it is read."""

    def add(self, record: TrialRecord, attempt: Attempt | None, /) -> None:
        """Collect from a trial's record, and from its last attempt if one has begun."""
        ...

    def extend(self, other: Self, /) -> None:
        """Append the data that a gatherer in another process collected from other trials."""
        ...


G = TypeVar("G", bound=Gatherer)


class Nothing:
    """Gathers nothing: for callers that need only results."""

    def add(self, record: TrialRecord, attempt: Attempt | None, /) -> None:
        """Ignore the trial."""

    def extend(self, other: Nothing, /) -> None:
        """Append nothing."""
