"""The ledger of a store: a hash-chained log of planned, begun, ended and rerun trials.

    STORE/ledger.jsonl, with entries as in `harness.record.schema.ledger`

Points are part of a trial's identity, so a planned entry fixes them; a crashed trial has ended and
counts. Several processes may write: each holds a lock on the file while it reads and appends.

A board can have 100,000 trials, each of which reads its own entries and adds a few. The whole chain
is therefore checked only when all of it is read (`lines`); otherwise each entry is checked by its
own hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.locks import lock
from harness.plan.trial import Trial
from harness.record.chain import DAMAGE_HINT, BrokenChainError, RawLine, parse_line
from harness.record.line_index import LineIndex
from harness.record.log import EventLog, line_of, read_lines
from harness.record.plain import Line
from harness.record.schema.audited import TrialAudited
from harness.record.schema.ledger import (
    LEDGER_ENTRIES,
    AttemptBegun,
    AttemptEnded,
    LedgerEntry,
    Planned,
    Reopened,
)

LEDGER_FILE = "ledger.jsonl"


class Ledger:
    """The ledger of one store."""

    def __init__(self, store: Path) -> None:
        self._path = store / LEDGER_FILE
        self._index = LineIndex(self._path)

    def lines(self) -> list[Line[LedgerEntry]]:
        """All lines, checked against their chain; empty without a ledger."""
        return read_lines(self._path, LEDGER_ENTRIES) if self._path.exists() else []

    def entries(self) -> list[LedgerEntry]:
        """The entries of all lines."""
        return [line.data for line in self.lines()]

    def entries_of(self, identity: str) -> list[LedgerEntry]:
        """The entries of one trial.

        Raises:
            BrokenChainError: the hash of one does not match its content.
        """
        lines = (self._parse(content) for content in self._index.lines(identity))
        return [line_of(line, self._path, LEDGER_ENTRIES).data for line in lines]

    def attempts(self, identity: str) -> int:
        """How many attempts of a trial have begun, including those whose events are lost."""
        starts = [e for e in self.entries_of(identity) if isinstance(e, AttemptBegun)]
        return max((entry.attempt for entry in starts), default=0)

    def end_of(self, identity: str) -> AttemptEnded | None:
        """A trial's end; None if it has not ended, or has been reopened by a rerun."""
        entries = self.entries_of(identity)
        ends = [entry for entry in entries if isinstance(entry, AttemptEnded | Reopened)]
        last = ends[-1] if ends else None
        return last if isinstance(last, AttemptEnded) else None

    def audits(self) -> list[TrialAudited]:
        """The audits of its trials, in the order in which they were made."""
        return [entry for entry in self.entries() if isinstance(entry, TrialAudited)]

    def plan(self, trials: Iterable[Trial]) -> None:
        """Add planned entries for the trials that have none.

        Raises:
            HarnessError: the ledger cannot be written.
        """
        plans = [
            Planned(identity=t.identity, folder=t.folder, round=t.round_commitment) for t in trials
        ]
        if all(self._index.has(entry.identity) for entry in plans):
            return
        with self._lock() as log:
            for entry in [entry for entry in plans if not self._index.has(entry.identity)]:
                log.append(entry)

    def note(self, entry: LedgerEntry) -> None:
        """Append one entry.

        Raises:
            HarnessError: the ledger cannot be written.
        """
        with self._lock() as log:
            log.append(entry)

    def note_once(self, entry: AttemptEnded | Reopened) -> None:
        """Append an end or a reopening, unless the ledger has it.

        An interrupted command may have written it.
        """
        same = (entry.kind, entry.identity, entry.attempt, entry.events)
        if not any(
            isinstance(other, AttemptEnded | Reopened)
            and (other.kind, other.identity, other.attempt, other.events) == same
            for other in self.entries_of(entry.identity)
        ):
            self.note(entry)

    def _parse(self, content: bytes) -> RawLine:
        line = parse_line(content)
        if line is None:
            raise BrokenChainError(f"{self._path}: the entry does not match its hash", DAMAGE_HINT)
        return line

    @contextmanager
    def _lock(self) -> Iterator[EventLog]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Appending does not touch a file that is only locked.
            file = self._path.open("ab")
        except OSError as error:
            raise HarnessError(
                f"cannot write {self._path}: {error}",
                "choose another folder with --out, or make this one writable",
            ) from error
        with file:
            lock(file)
            log = EventLog(self._path)
            try:
                yield log
            finally:
                log.close()
