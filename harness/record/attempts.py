"""Splits a trial's log into attempts, without the events that a resumption discarded.

The log is append-only. A referee that resumes a trial writes `resumed` with the `seq` of the
checkpoint that it resumes from. The events between the two were lost with the earlier worker and
happen again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness.core.errors import HarnessError
from harness.record.log import Event
from harness.record.schema import AnyBegin, Begin, End, EventData, ImportedBegin, Resumed

E = TypeVar("E", bound=EventData)


def of_type(events: Iterable[Event], kind: type[E]) -> list[E]:
    """The data of all events of one type, in order."""
    return [event.data for event in events if isinstance(event.data, kind)]


@dataclass(frozen=True)
class Attempt:
    """One attempt, without discarded events."""

    begin: AnyBegin
    events: tuple[Event, ...]
    """Including its `begin`."""

    @property
    def number(self) -> int:
        """Its number; the numbers of lost attempts are missing in a log."""
        return self.begin.attempt

    @property
    def last(self) -> Event:
        """Its last event."""
        return self.events[-1]

    @property
    def end(self) -> End | None:
        """Its end, if it has one.

        Raises:
            HarnessError: it has several ends.
        """
        ends = self.all(End)
        if len(ends) > 1:
            raise HarnessError(f"an attempt ends {len(ends)} times")
        return ends[0] if ends else None

    def all(self, kind: type[E]) -> list[E]:
        """What its events of one type say, in order."""
        return of_type(self.events, kind)


def attempts_of(events: Sequence[Event]) -> list[Attempt]:
    """The attempts of a log, in order, without discarded events."""
    groups: list[tuple[AnyBegin, list[Event]]] = []
    for event in events:
        if isinstance(event.data, Begin | ImportedBegin):
            groups.append((event.data, []))
        if groups:
            groups[-1][1].append(event)
    return [Attempt(begin, tuple(effective(attempt))) for begin, attempt in groups]


def effective(attempt: Iterable[Event]) -> list[Event]:
    """An attempt's events without those that a resumption discarded."""
    history: list[Event] = []
    for event in attempt:
        if isinstance(event.data, Resumed):
            after_seq = event.data.after_seq
            history = [earlier for earlier in history if earlier.seq <= after_seq]
        history.append(event)
    return history


def final_end(events: Sequence[Event]) -> End | None:
    """The trial's end; None if it has not ended, or a rerun was requested afterwards."""
    last = events[-1].data if events else None
    return last if isinstance(last, End) else None
