"""Reruns: an ended trial is opened again by explicit command alone, and both logs say so."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError
from harness.record.attempts import attempts_of, ended
from harness.record.events import EventLog, read_events
from harness.record.ledger import Ledger
from harness.record.store import EVENTS_FILE, locked, read_record, record_paths, write_record
from harness.trial import TrialRecord


def chosen_records(store: Path, names: tuple[str, ...], *, disturbed: bool) -> list[TrialRecord]:
    """The ended trials that are named, or stamped as disturbed.

    Args:
        store: the folder of all records.
        names: ends of folder names, or first digits of identities; each must name one trial.
        disturbed: whether those stamped are meant too.

    Raises:
        HarnessError: a name fits no trial or several, one has not ended, or none is chosen.
    """
    records = [read_record(path) for path in record_paths(store)]
    chosen = [_named(records, name) for name in names]
    if disturbed:
        chosen += [r for r in records if r.result and r.result.disturbed and r not in chosen]
    if not chosen:
        raise HarnessError(
            f"no trial of {store} is chosen", "name one with --trial, or give --disturbed"
        )
    for record in chosen:
        if record.result is None:
            raise HarnessError(
                f"{record.trial.folder} has not ended", "`harness run` goes on with it"
            )
    return chosen


def _named(records: list[TrialRecord], name: str) -> TrialRecord:
    found = [
        r
        for r in records
        if name and (r.identity.startswith(name) or f"/{r.trial.folder}".endswith(f"/{name}"))
    ]
    if len(found) != 1:
        known = ", ".join(r.trial.folder for r in (found or records)[:5])
        raise HarnessError(f"'{name}' fits {len(found)} trials", f"among them: {known}")
    return found[0]


def open_again(store: Path, record: TrialRecord, reason: str) -> None:
    """Mark an ended trial as to be run again, in the ledger and in its own events.

    Raises:
        HarnessError: the reason is empty, another process runs the trial, or a file cannot be
            written.
    """
    if not reason.strip():
        raise HarnessError("a rerun needs a reason", "say it with --reason TEXT")
    folder = store / record.trial.folder
    with locked(folder):
        events = read_events(folder / EVENTS_FILE)
        if not ended(events):
            return
        mark = {
            "attempt": len(attempts_of(events)),
            "state": events[-1]["data"]["result"]["state"],
            "events": events[-1]["hash"],
            "reason": reason.strip(),
        }
        Ledger(store).note("rerun", {"identity": record.identity, **mark})
        log = EventLog(folder / EVENTS_FILE)
        log.append("rerun", "referee", mark)
        log.close()
        write_record(folder, TrialRecord(identity=record.identity, trial=record.trial))
