"""Check that a store's ledger and the events of a trial agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.plan.trial import TrialRecord
from harness.record.attempts import Attempt, of_type
from harness.record.ledger import LEDGER_FILE
from harness.record.log import Event
from harness.record.schema import Begin, End, EventData, ImportedBegin, Rerun, Resumed
from harness.record.schema.audited import TrialAudited
from harness.record.schema.ledger import (
    AttemptBegun,
    AttemptEnded,
    AttemptResumed,
    LedgerEntry,
    Planned,
    PlanWithdrawn,
    Reopened,
)
from harness.record.store import TrialLog
from harness.verification.replay import MismatchError

AttemptEntry = AttemptBegun | AttemptResumed | AttemptEnded | Reopened
ENTRY_TYPES: tuple[tuple[type[EventData], type[AttemptEntry]], ...] = (
    (Begin, AttemptBegun),
    (Resumed, AttemptResumed),
    (End, AttemptEnded),
    (Rerun, Reopened),
)
"""Events of a trial, and the corresponding entries of the ledger."""


def check_ledger(record: TrialRecord, log: TrialLog, ours: Sequence[LedgerEntry]) -> None:
    """Check a trial's events against its ledger entries; imported trials have no entries.

    Raises:
        MismatchError: names the first mismatch.
    """
    attempts = log.attempts
    if attempts and isinstance(attempts[0].begin, ImportedBegin):
        return
    plans = [entry for entry in ours if isinstance(entry, Planned)]
    if len(plans) != 1:
        raise MismatchError(f"planned {len(plans)} times in {LEDGER_FILE}, not once")
    place = (record.trial.folder, record.trial.round_commitment)
    if (plans[0].folder, plans[0].round) != place:
        raise MismatchError(f"{LEDGER_FILE} has another plan for it")
    if ours[0] is not plans[0]:
        raise MismatchError(f"{LEDGER_FILE} has it start before it was planned")
    for entry in _missing_entries(attempts, ours):
        raise MismatchError(f"{LEDGER_FILE} lacks {entry}")
    _check_attempts(log.events, ours)
    if record.result is None:
        return
    last = [entry.events for entry in ours if isinstance(entry, AttemptEnded)][-1]
    if last != log.events[-1].hash:
        raise MismatchError(f"{LEDGER_FILE} has another end for it")


def _check_attempts(events: list[Event], ours: Sequence[LedgerEntry]) -> None:
    """Check that attempts begin once, and that every recorded end has its event."""
    numbers = [entry.attempt for entry in ours if isinstance(entry, AttemptBegun)]
    if duplicate := next((n for n in numbers if numbers.count(n) > 1), None):
        raise MismatchError(
            f"{LEDGER_FILE} has attempt {duplicate} begin {numbers.count(duplicate)} times"
        )
    ends = {event.hash for event in events if isinstance(event.data, End)}
    lost_ends = {entry.events for entry in ours if isinstance(entry, Reopened) and entry.lost}
    for entry in ours:
        if isinstance(entry, AttemptEnded) and entry.events not in ends | lost_ends:
            what = f"an end of attempt {entry.attempt} that is not there"
            raise MismatchError(f"{LEDGER_FILE} has {what}")


def _missing_entries(attempts: list[Attempt], ours: Sequence[LedgerEntry]) -> Iterator[str]:
    """Descriptions of entries that a trial's events require and the ledger lacks."""
    for attempt in attempts:
        kinds = {type(event.data) for event in attempt.events}
        for event_type, entry_type in ENTRY_TYPES:
            numbers = (
                e.attempt
                for e in ours
                if not isinstance(e, Planned | PlanWithdrawn | TrialAudited)
                and type(e) is entry_type
            )
            if event_type in kinds and attempt.number not in numbers:
                kind = entry_type.model_fields["kind"].default
                yield f"the line '{kind}' of attempt {attempt.number}"
    reruns = sum(isinstance(entry, Reopened) and not entry.lost for entry in ours)
    if reruns != len(of_type((e for attempt in attempts for e in attempt.events), Rerun)):
        yield "a rerun, or has one that the events do not have"
