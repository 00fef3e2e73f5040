"""A trial's log as attempts: each from its `begin` on, without what a resumption took back.

The log is only appended to. When a referee has died, its successor writes `resumed` with the `seq`
of the checkpoint that it goes on from; what the log holds between the two was lost with the dead
referee's worker and happens again.
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
    """What the events of one type say, in order."""
    return [event.data for event in events if isinstance(event.data, kind)]


@dataclass(frozen=True)
class Attempt:
    """One attempt, as it counts."""

    begin: AnyBegin
    events: tuple[Event, ...]
    """Its `begin` among them."""

    @property
    def number(self) -> int:
        """What it calls itself by; numbers of lost attempts are missing in a log."""
        return self.begin.attempt

    @property
    def last(self) -> Event:
        """Its last event."""
        return self.events[-1]

    @property
    def end(self) -> End | None:
        """How it ended, if it has.

        Raises:
            HarnessError: it ends several times.
        """
        ends = self.all(End)
        if len(ends) > 1:
            raise HarnessError(f"an attempt ends {len(ends)} times")
        return ends[0] if ends else None

    def all(self, kind: type[E]) -> list[E]:
        """What its events of one type say, in order."""
        return of_type(self.events, kind)


def attempts_of(events: Sequence[Event]) -> list[Attempt]:
    """The attempts of a log, in order, as they count."""
    groups: list[tuple[AnyBegin, list[Event]]] = []
    for event in events:
        if isinstance(event.data, Begin | ImportedBegin):
            groups.append((event.data, []))
        if groups:
            groups[-1][1].append(event)
    return [Attempt(begin, tuple(effective(attempt))) for begin, attempt in groups]


def effective(attempt: Iterable[Event]) -> list[Event]:
    """An attempt's events without those that a resumption took back."""
    history: list[Event] = []
    for event in attempt:
        if isinstance(event.data, Resumed):
            after_seq = event.data.after_seq
            history = [earlier for earlier in history if earlier.seq <= after_seq]
        history.append(event)
    return history


def final_end(events: Sequence[Event]) -> End | None:
    """How the trial ended; None if it has not, or a rerun was asked for since."""
    last = events[-1].data if events else None
    return last if isinstance(last, End) else None
