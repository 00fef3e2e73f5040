"""Whether a store fits itself: chains, identities, results, ledger.

What is checked is evidence: `trial.json`, `events.jsonl` and `ledger.jsonl`, to the last byte.
`worker.log` and `tensorboard/` are no evidence: nothing is computed from them. The chains find
accidents and careless changes, not an author who recomputes all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.canonical import sha256_json
from harness.content import several_texts
from harness.errors import HarnessError
from harness.record.attempts import attempts_of, end_of, ended, number_of
from harness.record.events import read_events
from harness.record.imported import PublishedEvaluation, result_of_evaluations
from harness.record.ledger import LEDGER_FILE
from harness.record.store import EVENTS_FILE, read_record, record_paths, record_text
from harness.referee.replay import MisfitError, Replay
from harness.trial import Result, Trial, TrialRecord


@dataclass(frozen=True)
class Finding:
    """One thing that does not fit, and where."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True)
class Verified:
    """What was found in a store."""

    trials: int
    records: tuple[TrialRecord, ...]
    """Those without a finding."""
    findings: tuple[Finding, ...]
    unfinished: int
    reruns: int
    texts: tuple[str, ...]
    """Where several texts of a submission ran under one content hash, in words."""


def verify_store(store: Path) -> Verified:
    """Check every record of a store, and the ledger against them.

    Raises:
        HarnessError: the folder holds no trial.
    """
    paths, findings, records = record_paths(store), [], []
    ran: list[tuple[str, str, str]] = []
    if not paths:
        raise HarnessError(
            f"no trial lies in {store}", "`harness run --out DIR` writes trials into a folder"
        )
    lines: list[dict[str, Any]] = []
    try:
        lines = _ledger_lines(store)
    except MisfitError as error:
        findings.append(Finding(LEDGER_FILE, error.message))
    known = {line["data"]["identity"]: line["data"] for line in lines if line["kind"] == "planned"}
    for path in paths:
        try:
            record, events = check_record(store, path, lines)
            records.append(record)
            ran += _ran(record.trial, events)
        except MisfitError as error:
            findings.append(Finding(str(path.parent.relative_to(store)), error.message))
    have = {str(path.parent.relative_to(store)) for path in paths}
    findings.extend(
        Finding(LEDGER_FILE, f"{line['folder']} was planned and is not there")
        for line in known.values()
        if line["folder"] not in have
    )
    unfinished = sum(record.result is None for record in records)
    reruns = sum(line["kind"] == "rerun" for line in lines)
    texts = several_texts(ran)
    return Verified(len(paths), tuple(records), tuple(findings), unfinished, reruns, texts)


def _ran(trial: Trial, events: list[dict[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """What each attempt of a trial ran, as `several_texts` takes it."""
    for attempt in attempts_of(events):
        files = str(attempt[0]["data"].get("submission_files", ""))
        yield trial.submission.name, trial.submission.content_hash, files


def check_record(
    store: Path, path: Path, ledger: Sequence[dict[str, Any]]
) -> tuple[TrialRecord, list[dict[str, Any]]]:
    """Check one trial's files; returns its record and its events.

    Args:
        store: the folder of all records.
        path: the trial's `trial.json`.
        ledger: the lines of the store's ledger.

    Raises:
        MisfitError: the first thing that does not fit.
    """
    record = _trial_file(store, path)
    log = path.parent / EVENTS_FILE
    events = _whole(log) if log.exists() else []
    try:
        _check_events(record, events)
        _check_ledger(record, events, ledger)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise MisfitError(f"{EVENTS_FILE}: an event lacks what it must have: {error!r}") from error
    return record, events


def _trial_file(store: Path, path: Path) -> TrialRecord:
    try:
        record = read_record(path)
        text = path.read_bytes()
    except (HarnessError, OSError) as error:
        raise MisfitError(str(error)) from error
    trial, folder = record.trial, str(path.parent.relative_to(store))
    if record.identity != trial.identity:
        raise MisfitError(f"{path.name}: the identity is not the hash of the trial")
    if folder != trial.folder:
        raise MisfitError(f"{path.name}: the trial belongs into {trial.folder}")
    if text != record_text(record).encode():
        raise MisfitError(f"{path.name}: not the bytes that a trial is written as")
    return record


def _whole(log: Path) -> list[dict[str, Any]]:
    """A log's events; a torn end is a misfit too, though an interruption may leave one."""
    try:
        events, content = read_events(log), log.read_bytes()
    except (HarnessError, OSError) as error:
        raise MisfitError(str(error)) from error
    if content and not content.endswith(b"\n"):
        raise MisfitError(
            f"{log.name}: the last line is torn; if an interruption left it, run the trial again"
        )
    return events


def _ledger_lines(store: Path) -> list[dict[str, Any]]:
    path = store / LEDGER_FILE
    if not path.exists():
        return []
    lines = _whole(path)
    for line in lines:
        if "identity" not in line["data"]:
            raise MisfitError(f"line {line['seq'] + 1} names no trial")
    return lines


def _check_events(record: TrialRecord, events: list[dict[str, Any]]) -> None:
    trial, attempts = record.trial, attempts_of(events)
    if events and not attempts:
        raise MisfitError(f"{EVENTS_FILE}: no event 'begin'")
    if attempts and attempts[0][0]["data"].get("origin") == "imported":
        _check_imported(record, attempts[0])
        return
    before = 0
    for attempt in attempts:
        number = number_of(attempt)
        _check_beginning(trial, attempt[0]["data"], number, before)
        before = number
        if (end := end_of(attempt)) is None:
            continue
        if attempt is not attempts[-1] and attempt[-1]["kind"] != "rerun":
            raise MisfitError(f"attempt {number} has ended and was run again without a rerun")
        _check_equal(Replay(trial, attempt).result(), Result.model_validate(end["data"]["result"]))
    said = Result.model_validate(events[-1]["data"]["result"]) if ended(events) else None
    if record.result is not None and said is None:
        raise MisfitError("trial.json has a result and the events do not end")
    if record.result is not None and said is not None:
        _check_equal(said, record.result)


def _check_beginning(trial: Trial, data: dict[str, Any], number: int, before: int) -> None:
    if data["identity"] != trial.identity:
        raise MisfitError(f"attempt {number} is of another trial")
    if data["attempt"] != number or number <= before:
        raise MisfitError(f"what follows attempt {before} calls itself attempt {number}")
    if data["fingerprint"] != sha256_json(data["hardware"])[:12]:
        raise MisfitError(f"attempt {number}: the fingerprint is not the hash of the hardware")


def _check_imported(record: TrialRecord, events: list[dict[str, Any]]) -> None:
    metric = record.trial.target.metric
    evaluations = [
        PublishedEvaluation(e["data"]["step"], e["data"]["timed_s"], _number(e, metric))
        for e in events
        if e["kind"] == "evaluation"
    ]
    said = Result.model_validate(events[-1]["data"]["result"])
    _check_equal(result_of_evaluations(record.trial, evaluations), said)
    if record.result is not None:
        _check_equal(said, record.result)


def _number(event: dict[str, Any], metric: str) -> float:
    value = event["data"]["validation"][metric]
    return float("nan") if value is None else float(value)


def _check_equal(computed: Result, said: Result) -> None:
    for name in Result.model_fields:
        ours, theirs = getattr(computed, name), getattr(said, name)
        if ours != theirs:
            raise MisfitError(f"{name} is {theirs!r}; the events say {ours!r}")


def _check_ledger(
    record: TrialRecord, events: list[dict[str, Any]], ledger: Sequence[dict[str, Any]]
) -> None:
    attempts = attempts_of(events)
    if attempts and attempts[0][0]["data"].get("origin") == "imported":
        return
    ours = [line for line in ledger if line["data"]["identity"] == record.identity]
    planned = [line["data"] for line in ours if line["kind"] == "planned"]
    if len(planned) != 1:
        raise MisfitError(f"planned {len(planned)} times in {LEDGER_FILE}; it must be once")
    expected = {"folder": record.trial.folder, "round": record.trial.round_commitment}
    if any(planned[0].get(name) != value for name, value in expected.items()):
        raise MisfitError(f"{LEDGER_FILE} has planned it otherwise")
    if ours[0]["kind"] != "planned":
        raise MisfitError(f"{LEDGER_FILE} has it begin before it was planned")
    for missing in _missing_lines(attempts, [(line["kind"], line["data"]) for line in ours]):
        raise MisfitError(f"{LEDGER_FILE} lacks {missing}")
    _check_lives(events, ours)
    if record.result is None:
        return
    last = [line["data"]["events"] for line in ours if line["kind"] == "ended"][-1]
    if last != events[-1]["hash"]:
        raise MisfitError(f"{LEDGER_FILE} has another end of it")


def _check_lives(events: list[dict[str, Any]], ours: list[dict[str, Any]]) -> None:
    """What the ledger has of a trial and its events have not: an attempt that was thrown away."""
    begun = [line["data"]["attempt"] for line in ours if line["kind"] == "begun"]
    if twice := next((n for n in begun if begun.count(n) > 1), None):
        raise MisfitError(f"{LEDGER_FILE} has attempt {twice} begin {begun.count(twice)} times")
    ends = {event["hash"] for event in events if event["kind"] == "end"}
    lost = {line["data"]["events"] for line in ours if line["data"].get("lost")}
    for line in ours:
        if line["kind"] == "ended" and line["data"]["events"] not in ends | lost:
            attempt = line["data"]["attempt"]
            raise MisfitError(f"{LEDGER_FILE} has an end of attempt {attempt} that is not there")


def _missing_lines(
    attempts: list[list[dict[str, Any]]], lines: list[tuple[str, dict[str, Any]]]
) -> Iterator[str]:
    """What the events of a trial have and the ledger's lines on it have not."""
    for attempt in attempts:
        number = number_of(attempt)
        for event in attempt:
            kind = {"begin": "begun", "end": "ended"}.get(event["kind"], event["kind"])
            if kind not in ("begun", "resumed", "ended", "rerun"):
                continue
            if not any(k == kind and data["attempt"] == number for k, data in lines):
                yield f"the line '{kind}' of attempt {number}"
    reruns = sum(kind == "rerun" and not data.get("lost") for kind, data in lines)
    if reruns != sum(e["kind"] == "rerun" for attempt in attempts for e in attempt):
        yield "a rerun, or has one that the events do not have"
