"""What is taken from the trials of a folder while they are read, beside their results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from harness.plan.trial import TrialRecord
    from harness.record.attempts import Attempt


class Gatherer(Protocol):
    """Takes from each trial, as it is read, what is wanted of it."""

    def add(self, record: TrialRecord, attempt: Attempt | None, /) -> None:
        """Take from a trial: its record, and its last attempt if one has begun."""
        ...

    def extend(self, other: Self, /) -> None:
        """Take over what another gatherer, in another process, took from other trials."""
        ...


G = TypeVar("G", bound=Gatherer)


class Nothing:
    """Gathers nothing: for those who want results alone."""

    def add(self, record: TrialRecord, attempt: Attempt | None, /) -> None:
        """Take nothing."""

    def extend(self, other: Nothing, /) -> None:
        """Take nothing over."""
