"""A trial's log as attempts: each from its `begin` on, without what a resumption took back.

The log is only appended to. When a referee has died, its successor writes `resumed` with the `seq`
of the checkpoint that it goes on from; what the log holds between the two was lost with the dead
referee's worker and happens again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.core.errors import HarnessError
from harness.record.log import GENESIS

Events = list[dict[str, Any]]


def attempts_of(events: Sequence[dict[str, Any]]) -> list[Events]:
    """The events of each attempt, in order, as they count."""
    found: list[Events] = []
    for event in events:
        if event["kind"] == "begin":
            found.append([])
        if found:
            found[-1].append(event)
    return [effective(attempt) for attempt in found]


def effective(attempt: Sequence[dict[str, Any]]) -> Events:
    """An attempt's events without those that a resumption took back."""
    kept: Events = []
    for event in attempt:
        if event["kind"] == "resumed":
            kept = [earlier for earlier in kept if earlier["seq"] <= event["data"]["after_seq"]]
        kept.append(event)
    return kept


def number_of(attempt: Sequence[dict[str, Any]]) -> int:
    """The number that an attempt calls itself by; numbers of lost attempts are missing in a log."""
    return int(attempt[0]["data"].get("attempt", 1))


def ended(events: Sequence[dict[str, Any]]) -> bool:
    """Whether the trial's last attempt has ended and no rerun was asked for since."""
    return bool(events) and events[-1]["kind"] == "end"


def head(events: Sequence[dict[str, Any]]) -> str:
    """The hash of the last event, which stands for the whole log."""
    return str(events[-1]["hash"]) if events else GENESIS


def end_of(attempt: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The `end` event of an attempt, if it has one."""
    ends = [event for event in attempt if event["kind"] == "end"]
    if len(ends) > 1:
        raise HarnessError(f"an attempt ends {len(ends)} times")
    return ends[0] if ends else None
