"""Reruns: an ended trial is reopened only by an explicit command, which both logs record."""

from __future__ import annotations

from contextlib import closing
from itertools import count
from pathlib import Path

from harness.core.errors import HarnessError
from harness.plan.trial import TrialRecord
from harness.record.attempts import attempts_of, final_end
from harness.record.chain import BrokenChainError
from harness.record.ledger import Ledger
from harness.record.log import Event, EventLog, SchemaError, read_events
from harness.record.schema import End, Rerun
from harness.record.schema.ledger import Reopened
from harness.record.store import EVENTS_FILE, lock_trial, read_record, record_paths, write_record


class NoSuchTrialError(HarnessError):
    """A name matches no trial of a folder of records."""


def chosen_records(store: Path, names: tuple[str, ...], *, with_flagged: bool) -> list[TrialRecord]:
    """The ended trials selected by name, or by an interference flag.

    Args:
        store: the folder of the records.
        names: endings of folder names, or first digits of identities; each must match one trial.
        with_flagged: whether to add all trials flagged for interference.

    Raises:
        HarnessError: a name matches no trial or several, a trial has not ended, or none is chosen.
    """
    records = [read_record(path) for path in record_paths(store)]
    selection = [_find(records, name) for name in names]
    if with_flagged:
        selection += [
            r for r in records if r.result and r.result.interference and r not in selection
        ]
    if not selection:
        raise HarnessError(
            f"no trial of {store} is selected", "name one with --trial, or give --flagged"
        )
    for record in selection:
        if record.result is None and _is_open(store, record):
            raise HarnessError(f"{record.trial.folder} has not ended", "`harness run` continues it")
    return selection


def _is_open(store: Path, record: TrialRecord) -> bool:
    """Whether `harness run` would continue a trial that has no result."""
    log = store / record.trial.folder / EVENTS_FILE
    is_broken = log.exists() and log.stat().st_size > 0 and not _readable(log)
    return not is_broken and Ledger(store).end_of(record.identity) is None


def _find(records: list[TrialRecord], name: str) -> TrialRecord:
    matches = [
        r
        for r in records
        if name and (r.identity.startswith(name) or f"/{r.trial.folder}".endswith(f"/{name}"))
    ]
    if len(matches) != 1:
        folders = ", ".join(r.trial.folder for r in (matches or records)[:5])
        kind = HarnessError if matches else NoSuchTrialError
        hint = f"{'among them' if matches else 'the first of those there'}: {folders}"
        raise kind(f"'{name}' matches {len(matches) or 'none'} of the trials", hint)
    return matches[0]


def open_again(store: Path, record: TrialRecord, reason: str) -> None:
    """Mark an ended trial for a rerun, in the ledger and in its own events.

    Events that are missing or break their hash chain are lost: the ledger records this, and the
    rest of them is moved aside.

    Raises:
        HarnessError: the reason is empty, another process runs the trial, or a file cannot be
            written.
    """
    if not reason.strip():
        raise HarnessError("a rerun needs a reason", "give it with --reason TEXT")
    log, ledger = store / record.trial.folder / EVENTS_FILE, Ledger(store)
    with lock_trial(log.parent):
        events = _readable(log)
        if (end := final_end(events)) is not None:
            _mark(log, ledger, record, _rerun(events, end, reason.strip()))
        elif not _is_open(store, record):
            _mark_lost(log, ledger, record, reason.strip())
        write_record(log.parent, TrialRecord(identity=record.identity, trial=record.trial))


def _rerun(events: list[Event], end: End, reason: str) -> Rerun:
    return Rerun(
        attempt=attempts_of(events)[-1].number,
        state=end.result.state,
        events=events[-1].hash,
        reason=reason,
    )


def _mark(log: Path, ledger: Ledger, record: TrialRecord, rerun: Rerun) -> None:
    ledger.note_once(
        Reopened(
            identity=record.identity,
            attempt=rerun.attempt,
            state=rerun.state,
            events=rerun.events,
            reason=rerun.reason,
        )
    )
    with closing(EventLog(log)) as event_log:
        event_log.append(rerun)


def _mark_lost(log: Path, ledger: Ledger, record: TrialRecord, reason: str) -> None:
    end = ledger.end_of(record.identity)
    entry = Reopened(
        identity=record.identity,
        attempt=end.attempt if end else ledger.attempts(record.identity),
        state=end.state if end else "unfinished",
        events=end.events if end else "",
        reason=reason,
        lost=True,
    )
    if log.exists():
        free = next(n for n in count(1) if not log.with_suffix(f".lost-{n}.jsonl").exists())
        log.rename(log.with_suffix(f".lost-{free}.jsonl"))
    ledger.note_once(entry)


def _readable(log: Path) -> list[Event]:
    """The events of a log; empty if they are lost."""
    try:
        return read_events(log) if log.exists() else []
    except (BrokenChainError, SchemaError):
        return []
