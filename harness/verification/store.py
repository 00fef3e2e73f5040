"""Check a store's consistency: hash chains, identities, results, ledger.

The evidence is checked to the last byte: `trial.json`, `events.jsonl` and `ledger.jsonl`.
`worker.log` and `tensorboard/` are not evidence: nothing is computed from them. A score makes the
same checks as it reads records, except replaying trials, which is most of the work. The chains
reveal accidents and careless changes, but not an author who recomputes all hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from harness.core.content import several_texts
from harness.core.errors import HarnessError
from harness.plan.trial import Trial, TrialRecord
from harness.record.chain import read_bytes
from harness.record.ledger import LEDGER_FILE
from harness.record.log import lines_of
from harness.record.schema.audited import TrialAudited
from harness.record.schema.ledger import (
    LEDGER_ENTRIES,
    AttemptBegun,
    LedgerEntry,
    Planned,
    PlanWithdrawn,
    Reopened,
)
from harness.record.store import (
    EVENTS_FILE,
    TrialFile,
    TrialLog,
    read_log,
    read_trial_file,
    record_paths,
)
from harness.verification.branch import check_trunk
from harness.verification.ledger import check_ledger
from harness.verification.record import check_events, check_file
from harness.verification.replay import MismatchError

T = TypeVar("T")


@dataclass(frozen=True)
class Finding:
    """A mismatch and its location."""

    place: str
    what: str
    is_missing: bool = False
    """Whether it is a missing trial."""

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True)
class Verification:
    """The results of checking a store."""

    trials: int
    records: tuple[TrialRecord, ...]
    """The records of trials without a finding."""
    findings: tuple[Finding, ...]
    unfinished_trials: int
    reruns: int
    texts: tuple[str, ...]
    """Sentences on submissions of which several texts ran under one content hash."""
    missing: tuple[str, ...]
    """Folders of planned trials that are missing; each is a finding, too."""


def verify_store(store: Path, *, replays: bool = True) -> Verification:
    """Check all records of a store, and its ledger against them.

    Args:
        store: the folder of the records.
        replays: whether to recompute results from the raw events, too.

    Raises:
        HarnessError: the folder holds no trial.
    """
    paths = record_paths(store)
    if not paths:
        raise HarnessError(
            f"no trials in {store}", "`harness run --out DIR` writes trials into a folder"
        )
    check = StoreCheck(store, replays=replays)
    records = tuple(record for path in paths if (record := check.record(path)) is not None)
    unfinished_count = sum(record.result is None for record in records)
    return Verification(
        len(paths),
        records,
        check.findings,
        unfinished_count,
        check.reruns,
        check.texts,
        check.missing,
    )


@dataclass
class CheckedTrials:
    """Results of checked trials; pickled when another process has checked them."""

    findings: list[Finding] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    """Paths relative to the store."""
    runs: set[tuple[str, str, str]] = field(default_factory=set)
    """The submissions' texts that their attempts ran, for `several_texts`."""

    def add(self, other: CheckedTrials) -> None:
        """Add the results of other trials of the store."""
        self.findings += other.findings
        self.folders |= other.folders
        self.runs |= other.runs


class StoreCheck:
    """Checks the trials of a store one by one against the ledger as read at construction.

    Args:
        store: the folder of the records.
        replays: whether to recompute results from the raw events, too.
    """

    def __init__(self, store: Path, *, replays: bool = True) -> None:
        self._store, self._replays = store, replays
        self.results = CheckedTrials()
        entries, why = _read_ledger(store)
        self.audits = [entry for entry in entries if isinstance(entry, TrialAudited)]
        """The audits in the ledger, oldest first."""
        self._why = why
        self._entries = [] if why else entries
        self._by_identity = _entries_by_identity(self._entries)

    def record(
        self, path: Path, contents: tuple[TrialFile, TrialLog] | None = None
    ) -> TrialRecord | None:
        """Check one trial; returns its record, or None on a mismatch.

        Args:
            path: the path of its `trial.json`.
            contents: the content of its files if already read; otherwise they are read here.
        """
        folder = str(path.parent.relative_to(self._store))
        self.results.folders.add(folder)
        try:
            file = contents[0] if contents else _read(read_trial_file, path)
            check_file(folder, file)
            log = contents[1] if contents else _read(read_log, path.parent)
            self._check_log(file.record, log)
        except HarnessError as error:
            self.results.findings.append(Finding(folder, error.message))
            return None
        self.results.runs.update(_runs_of(file.record.trial, log))
        return file.record

    @property
    def missing(self) -> tuple[str, ...]:
        """Folders of trials that are planned in the ledger but were not among those checked.

        A withdrawn trial that never began may be missing.
        """
        has_begun = {e.identity for e in self._entries if isinstance(e, AttemptBegun)}
        withdrawn_identities = {
            e.identity for e in self._entries if isinstance(e, PlanWithdrawn)
        } - has_begun
        plans = {entry.identity: entry for entry in self._entries if isinstance(entry, Planned)}
        missing = (e for e in plans.values() if e.folder not in self.results.folders)
        return tuple(e.folder for e in missing if e.identity not in withdrawn_identities)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All mismatches: in the ledger, then in trials, then missing trials."""
        ledger = [Finding(LEDGER_FILE, self._why)] if self._why else []
        missing = (
            Finding(LEDGER_FILE, f"{folder} was planned and is not there", is_missing=True)
            for folder in self.missing
        )
        return (*ledger, *self.results.findings, *missing)

    @property
    def reruns(self) -> int:
        """The number of trials reopened by command."""
        return sum(isinstance(entry, Reopened) for entry in self._entries)

    @property
    def texts(self) -> tuple[str, ...]:
        """Sentences on submissions of which several texts ran under one content hash."""
        return several_texts(self.results.runs)

    def _check_log(self, record: TrialRecord, log: TrialLog) -> None:
        """Check a trial's events against its record and against the ledger."""
        if log.is_torn:
            raise MismatchError(_describe_incomplete_line(EVENTS_FILE))
        try:
            check_events(record, log, replays=self._replays)
            check_ledger(record, log, self._by_identity.get(record.identity, ()))
            check_trunk(record.trial, log, self._store)
        except (ValueError, IndexError, ArithmeticError) as error:
            raise MismatchError(
                f"{EVENTS_FILE}: an event lacks what it must have: {error!r}"
            ) from error


def _runs_of(trial: Trial, log: TrialLog) -> Iterator[tuple[str, str, str]]:
    """The submission's text in each attempt of a trial, for `several_texts`."""
    for attempt in log.attempts:
        submission = trial.submission
        yield submission.name, submission.content_hash, attempt.begin.submission_files


def _entries_by_identity(entries: Iterable[LedgerEntry]) -> dict[str, list[LedgerEntry]]:
    """The ledger's entries by trial, in order."""
    by_identity: dict[str, list[LedgerEntry]] = {}
    for entry in entries:
        by_identity.setdefault(entry.identity, []).append(entry)
    return by_identity


def _read_ledger(store: Path) -> tuple[list[LedgerEntry], str]:
    """The entries of a store's ledger, and its mismatches."""
    path = store / LEDGER_FILE
    if not path.exists():
        return [], ""
    try:
        content = read_bytes(path)
        entries = [line.data for line in lines_of(content, path, LEDGER_ENTRIES)]
    except HarnessError as error:
        return [], str(error)
    is_torn = bool(content) and not content.endswith(b"\n")
    return entries, _describe_incomplete_line(LEDGER_FILE) if is_torn else ""


def _describe_incomplete_line(name: str) -> str:
    """A finding that a log ends in an incomplete line: a mismatch, too, although an interruption
    may cause it.
    """
    return f"{name}: the last line is incomplete; if an interruption caused it, run the trial again"


def _read(reader: Callable[[Path], T], path: Path) -> T:
    try:
        return reader(path)
    except HarnessError as error:
        raise MismatchError(str(error)) from error
