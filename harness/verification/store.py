"""Whether a store fits itself: chains, identities, results, ledger.

What is checked is evidence: `trial.json`, `events.jsonl` and `ledger.jsonl`, to the last byte.
`worker.log` and `tensorboard/` are no evidence: nothing is computed from them. A score checks the
same of what it reads, as it reads it, without replaying trials, which is most of the work. The
chains find accidents and careless changes, not an author who recomputes all of them.
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
    """One thing that does not fit, and where."""

    place: str
    what: str
    is_missing: bool = False
    """Whether it is a trial that is not there."""

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True)
class Verification:
    """What was found in a store."""

    trials: int
    records: tuple[TrialRecord, ...]
    """Those without a finding."""
    findings: tuple[Finding, ...]
    unfinished: int
    reruns: int
    texts: tuple[str, ...]
    """Where several texts of a submission ran under one content hash, in words."""
    missing: tuple[str, ...]
    """Folders of trials that the ledger planned and that are not there; each is a finding too."""

    @property
    def mismatches(self) -> tuple[str, ...]:
        """In words, the findings on what is there."""
        return tuple(str(finding) for finding in self.findings if not finding.is_missing)


def verify_store(store: Path, *, replays: bool = True) -> Verification:
    """Check every record of a store, and the ledger against them.

    Args:
        store: the folder of all records.
        replays: whether results are recomputed from the raw events, too.

    Raises:
        HarnessError: the folder holds no trial.
    """
    paths = record_paths(store)
    if not paths:
        raise HarnessError(
            f"no trial lies in {store}", "`harness run --out DIR` writes trials into a folder"
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
    """What came of the trials that were checked; pickled, where another process checked them."""

    findings: list[Finding] = field(default_factory=list)
    folders: set[str] = field(default_factory=set)
    """Inside the store."""
    runs: set[tuple[str, str, str]] = field(default_factory=set)
    """What their attempts ran, as `several_texts` takes it."""

    def add(self, other: CheckedTrials) -> None:
        """Add what came of other trials of the store."""
        self.findings += other.findings
        self.folders |= other.folders
        self.runs |= other.runs


class StoreCheck:
    """Checks the trials of a store one by one, against its ledger as it was at the beginning.

    Args:
        store: the folder of all records.
        replays: whether results are recomputed from the raw events, too.
    """

    def __init__(self, store: Path, *, replays: bool = True) -> None:
        self._store, self._replays = store, replays
        self.checked = CheckedTrials()
        entries, why = _read_ledger(store)
        self.audits = [entry for entry in entries if isinstance(entry, TrialAudited)]
        """Those in the ledger, in the order in which they were made."""
        self._why = why
        self._entries = [] if why else entries
        self._by_identity = _entries_by_identity(self._entries)

    def record(
        self, path: Path, contents: tuple[TrialFile, TrialLog] | None = None
    ) -> TrialRecord | None:
        """Check one trial; its record, or None if something does not fit.

        Args:
            path: its `trial.json`.
            contents: what its files say, if they have been read; else they are read here.
        """
        folder = str(path.parent.relative_to(self._store))
        self.checked.folders.add(folder)
        try:
            file = contents[0] if contents else _read(read_trial_file, path)
            check_file(folder, file)
            log = contents[1] if contents else _read(read_log, path.parent)
            self._check_log(file.record, log)
        except HarnessError as error:
            self.checked.findings.append(Finding(folder, error.message))
            return None
        self.checked.runs.update(_runs_of(file.record.trial, log))
        return file.record

    @property
    def missing(self) -> tuple[str, ...]:
        """Folders of trials that the ledger planned and of which none was checked.

        A withdrawn plan may be missing, if it has never begun.
        """
        has_begun = {e.identity for e in self._entries if isinstance(e, AttemptBegun)}
        withdrawn_identities = {
            e.identity for e in self._entries if isinstance(e, PlanWithdrawn)
        } - has_begun
        plans = {entry.identity: entry for entry in self._entries if isinstance(entry, Planned)}
        missing = (e for e in plans.values() if e.folder not in self.checked.folders)
        return tuple(e.folder for e in missing if e.identity not in withdrawn_identities)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that does not fit: in the ledger, in trials; what is missing comes last."""
        ledger = [Finding(LEDGER_FILE, self._why)] if self._why else []
        missing = (
            Finding(LEDGER_FILE, f"{folder} was planned and is not there", is_missing=True)
            for folder in self.missing
        )
        return (*ledger, *self.checked.findings, *missing)

    @property
    def reruns(self) -> int:
        """How many trials were opened again by command."""
        return sum(isinstance(entry, Reopened) for entry in self._entries)

    @property
    def texts(self) -> tuple[str, ...]:
        """Where several texts of a submission ran under one content hash, in words."""
        return several_texts(self.checked.runs)

    def _check_log(self, record: TrialRecord, log: TrialLog) -> None:
        """Check a trial's events against its record and against the ledger."""
        if log.is_torn:
            raise MismatchError(_describe_torn_end(EVENTS_FILE))
        try:
            check_events(record, log, replays=self._replays)
            check_ledger(record, log, self._by_identity.get(record.identity, ()))
            check_trunk(record.trial, log, self._store)
        except (ValueError, IndexError, ArithmeticError) as error:
            raise MismatchError(
                f"{EVENTS_FILE}: an event lacks what it must have: {error!r}"
            ) from error


def _runs_of(trial: Trial, log: TrialLog) -> Iterator[tuple[str, str, str]]:
    """What each attempt of a trial ran, as `several_texts` takes it."""
    for attempt in log.attempts:
        submission = trial.submission
        yield submission.name, submission.content_hash, attempt.begin.submission_files


def _entries_by_identity(entries: Iterable[LedgerEntry]) -> dict[str, list[LedgerEntry]]:
    """The entries of a ledger on each trial, in order."""
    by_identity: dict[str, list[LedgerEntry]] = {}
    for entry in entries:
        by_identity.setdefault(entry.identity, []).append(entry)
    return by_identity


def _read_ledger(store: Path) -> tuple[list[LedgerEntry], str]:
    """The entries of a store's ledger, and what does not fit in it."""
    path = store / LEDGER_FILE
    if not path.exists():
        return [], ""
    try:
        content = read_bytes(path)
        entries = [line.data for line in lines_of(content, path, LEDGER_ENTRIES)]
    except HarnessError as error:
        return [], str(error)
    is_torn = bool(content) and not content.endswith(b"\n")
    return entries, _describe_torn_end(LEDGER_FILE) if is_torn else ""


def _describe_torn_end(name: str) -> str:
    """That a log has a torn end, which is a mismatch, too, though an interruption may leave one."""
    return f"{name}: the last line is torn; if an interruption left it, run the trial again"


def _read(read: Callable[[Path], T], path: Path) -> T:
    try:
        return read(path)
    except HarnessError as error:
        raise MismatchError(str(error)) from error
