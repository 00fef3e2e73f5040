"""The ledger of a store: what was planned, begun, ended and rerun, in one hash-chained log.

    STORE/ledger.jsonl
        planned   {identity, folder, round}            before anything runs
        begun     {identity, attempt}                  each life of a trial
        resumed   {identity, attempt, step}            the referee had died; a checkpoint goes on
        ended     {identity, attempt, state, events}   `events` is the hash of the log's last event
        rerun     {identity, attempt, state, events, reason}   by explicit command alone; with
                  `lost` if the events of that end are not there any more

Points are part of a trial's identity, so a planned line fixes them; a crashed trial has ended and
counts. Several processes may write: each holds the file's lock while it reads and appends.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.plan.trial import Trial
from harness.record.log import EventLog, read_events

LEDGER_FILE = "ledger.jsonl"


class Ledger:
    """The ledger of one store."""

    def __init__(self, store: Path) -> None:
        self._path = store / LEDGER_FILE

    def entries(self) -> list[dict[str, Any]]:
        """All lines, checked against their chain; none if there is no ledger."""
        return read_events(self._path) if self._path.exists() else []

    def attempts(self, identity: str) -> int:
        """How many attempts of a trial have begun, those included whose events are lost."""
        lines = [entry["data"] for entry in self.entries() if entry["kind"] == "begun"]
        return max((line["attempt"] for line in lines if line["identity"] == identity), default=0)

    def end_of(self, identity: str) -> dict[str, Any] | None:
        """The line of a trial's end; None if it has not ended, or is open again by a rerun."""
        kinds = ("ended", "rerun")
        ours = [e for e in self.entries() if e["data"]["identity"] == identity]
        last = next((entry for entry in reversed(ours) if entry["kind"] in kinds), None)
        return last["data"] if last is not None and last["kind"] == "ended" else None

    def plan(self, trials: Iterable[Trial]) -> None:
        """Write down the trials that it does not hold yet.

        Raises:
            HarnessError: the ledger cannot be written.
        """
        lines = [
            {"identity": t.identity, "folder": t.folder, "round": t.round_commitment}
            for t in trials
        ]
        known = {entry["data"]["identity"] for entry in self.entries()}
        if all(line["identity"] in known for line in lines):
            return
        with self._locked() as log:
            known = {entry["data"]["identity"] for entry in self.entries()}
            for line in lines:
                if line["identity"] not in known:
                    log.append("planned", "referee", line)

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        """Append one line.

        Raises:
            HarnessError: the ledger cannot be written.
        """
        with self._locked() as log:
            log.append(kind, "referee", data)

    def note_end(self, identity: str, attempt: int, state: str, events: str) -> None:
        """Append the end of an attempt, unless the ledger has it."""
        line = {"identity": identity, "attempt": attempt, "state": state, "events": events}
        self._note_once("ended", line)

    def note_rerun(self, line: Mapping[str, Any]) -> None:
        """Append that an end is open again, unless a command that was cut short has done so."""
        self._note_once("rerun", line)

    def _note_once(self, kind: str, line: Mapping[str, Any]) -> None:
        same = ("identity", "attempt", "events")
        if not any(
            entry["kind"] == kind and all(entry["data"].get(key) == line[key] for key in same)
            for entry in self.entries()
        ):
            self.note(kind, line)

    @contextmanager
    def _locked(self) -> Iterator[EventLog]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Appending does not touch a file that is only locked.
            lock = self._path.open("ab")
        except OSError as error:
            raise HarnessError(
                f"cannot write {self._path}: {error}",
                "choose another folder with --out, or make this one writable",
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            log = EventLog(self._path)
            try:
                yield log
            finally:
                log.close()
