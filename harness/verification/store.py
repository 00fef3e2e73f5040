"""Whether a store fits itself: chains, identities, results, ledger.

What is checked is evidence: `trial.json`, `events.jsonl` and `ledger.jsonl`, to the last byte.
`worker.log` and `tensorboard/` are no evidence: nothing is computed from them. A score looks at the
same without replaying trials, which is most of the work. The chains find
accidents and careless changes, not an author who recomputes all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from harness.core.content import several_texts
from harness.core.errors import HarnessError
from harness.plan.trial import Result, Trial, TrialRecord
from harness.record.attempts import Attempt, attempts_of, final_end
from harness.record.imported import PublishedEvaluation, result_of_evaluations
from harness.record.ledger import LEDGER_FILE, Ledger
from harness.record.log import Event, Line, read_events
from harness.record.schema import AnyBegin, Begin, Evaluation, EventData, ImportedBegin, Rerun
from harness.record.schema.ledger import LedgerEntry, Planned, Reopened
from harness.record.store import EVENTS_FILE, read_record, record_paths, record_text
from harness.verification.ledger import check_ledger
from harness.verification.replay import MismatchError, Replay

D = TypeVar("D", bound=EventData)


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
    paths, findings, records = record_paths(store), [], []
    runs: list[tuple[str, str, str]] = []
    if not paths:
        raise HarnessError(
            f"no trial lies in {store}", "`harness run --out DIR` writes trials into a folder"
        )
    entries: list[LedgerEntry] = []
    try:
        entries = _ledger_entries(store)
    except MismatchError as error:
        findings.append(Finding(LEDGER_FILE, error.message))
    plans = {entry.identity: entry for entry in entries if isinstance(entry, Planned)}
    by_identity = entries_by_identity(entries)
    for path in paths:
        try:
            record, events = check_record(store, path, by_identity, replays=replays)
            records.append(record)
            runs += _runs_of(record.trial, events)
        except MismatchError as error:
            findings.append(Finding(str(path.parent.relative_to(store)), error.message))
    have = {str(path.parent.relative_to(store)) for path in paths}
    missing = tuple(entry.folder for entry in plans.values() if entry.folder not in have)
    findings.extend(
        Finding(LEDGER_FILE, f"{folder} was planned and is not there", is_missing=True)
        for folder in missing
    )
    unfinished = sum(record.result is None for record in records)
    reruns = sum(isinstance(entry, Reopened) for entry in entries)
    texts = several_texts(runs)
    return Verification(
        len(paths), tuple(records), tuple(findings), unfinished, reruns, texts, missing
    )


def _runs_of(trial: Trial, events: list[Event]) -> Iterator[tuple[str, str, str]]:
    """What each attempt of a trial ran, as `several_texts` takes it."""
    for attempt in attempts_of(events):
        submission = trial.submission
        yield submission.name, submission.content_hash, attempt.begin.submission_files


def entries_by_identity(entries: Iterable[LedgerEntry]) -> dict[str, list[LedgerEntry]]:
    """The entries of a ledger on each trial, in order."""
    found: dict[str, list[LedgerEntry]] = {}
    for entry in entries:
        found.setdefault(entry.identity, []).append(entry)
    return found


def check_record(
    store: Path, path: Path, ledger: Mapping[str, Sequence[LedgerEntry]], *, replays: bool = True
) -> tuple[TrialRecord, list[Event]]:
    """Check one trial's files; returns its record and its events.

    Args:
        store: the folder of all records.
        path: the trial's `trial.json`.
        ledger: the entries of the store's ledger, by the identities of trials.
        replays: whether its result is recomputed from its events.

    Raises:
        MismatchError: the first thing that does not fit.
    """
    record = _trial_file(store, path)
    log = path.parent / EVENTS_FILE
    events = _whole(log, read_events) if log.exists() else []
    try:
        _check_events(record, events, replays=replays)
        check_ledger(record, events, ledger.get(record.identity, ()))
    except (ValueError, IndexError, ArithmeticError) as error:
        raise MismatchError(
            f"{EVENTS_FILE}: an event lacks what it must have: {error!r}"
        ) from error
    return record, events


def _trial_file(store: Path, path: Path) -> TrialRecord:
    try:
        record = read_record(path)
        text = path.read_bytes()
    except (HarnessError, OSError) as error:
        raise MismatchError(str(error)) from error
    trial, folder = record.trial, str(path.parent.relative_to(store))
    if record.identity != trial.identity:
        raise MismatchError(f"{path.name}: the identity is not the hash of the trial")
    if folder != trial.folder:
        raise MismatchError(f"{path.name}: the trial belongs into {trial.folder}")
    if text != record_text(record).encode():
        raise MismatchError(f"{path.name}: not the bytes that a trial is written as")
    return record


def _whole(log: Path, read: Callable[[Path], list[Line[D]]]) -> list[Line[D]]:
    """A log's lines; a torn end is a mismatch too, though an interruption may leave one."""
    try:
        lines, content = read(log), log.read_bytes()
    except (HarnessError, OSError) as error:
        raise MismatchError(str(error)) from error
    if content and not content.endswith(b"\n"):
        raise MismatchError(
            f"{log.name}: the last line is torn; if an interruption left it, run the trial again"
        )
    return lines


def _ledger_entries(store: Path) -> list[LedgerEntry]:
    path = store / LEDGER_FILE
    if not path.exists():
        return []
    return [line.data for line in _whole(path, lambda _: Ledger(store).lines())]


def _check_events(record: TrialRecord, events: list[Event], *, replays: bool) -> None:
    trial, attempts = record.trial, attempts_of(events)
    if events and not attempts:
        raise MismatchError(f"{EVENTS_FILE}: no event 'begin'")
    if attempts and isinstance(attempts[0].begin, ImportedBegin):
        _check_imported(record, attempts[0], replays=replays)
        return
    before = 0
    for attempt in attempts:
        _check_beginning(trial, attempt.begin, before)
        before = attempt.number
        if (end := attempt.end) is None:
            continue
        if attempt is not attempts[-1] and not isinstance(attempt.last.data, Rerun):
            raise MismatchError(f"attempt {before} has ended and was run again without a rerun")
        if replays:
            _check_equal(Replay(trial, attempt, end).result(), end.result)
    last = final_end(events)
    if record.result is not None and last is None:
        raise MismatchError("trial.json has a result and the events do not end")
    if record.result is not None and last is not None:
        _check_equal(last.result, record.result)


def _check_beginning(trial: Trial, begin: AnyBegin, before: int) -> None:
    if not isinstance(begin, Begin):
        raise MismatchError(f"what follows attempt {before} is imported")
    if begin.identity != trial.identity:
        raise MismatchError(f"attempt {begin.attempt} is of another trial")
    if begin.attempt <= before:
        raise MismatchError(f"what follows attempt {before} calls itself attempt {begin.attempt}")
    if begin.fingerprint != begin.hardware.fingerprint:
        raise MismatchError(
            f"attempt {begin.attempt}: the fingerprint is not the hash of the hardware"
        )


def _check_imported(record: TrialRecord, attempt: Attempt, *, replays: bool) -> None:
    end = final_end(attempt.events)
    if end is None:
        raise MismatchError(f"{EVENTS_FILE}: an imported trial without an end")
    if replays:
        metric = record.trial.target.metric
        evaluations = [
            PublishedEvaluation(e.step, e.timed_s, _number(e, metric))
            for e in attempt.all(Evaluation)
        ]
        _check_equal(result_of_evaluations(record.trial, evaluations), end.result)
    if record.result is not None:
        _check_equal(end.result, record.result)


def _number(evaluation: Evaluation, metric: str) -> float:
    if metric not in evaluation.validation:
        raise MismatchError(f"{EVENTS_FILE}: an evaluation without {metric}")
    value = evaluation.validation[metric]
    return float("nan") if value is None else value


def _check_equal(result: Result, claim: Result) -> None:
    for name in Result.model_fields:
        ours, theirs = getattr(result, name), getattr(claim, name)
        if ours != theirs:
            raise MismatchError(f"{name} is {theirs!r}; the events say {ours!r}")
