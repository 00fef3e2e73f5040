"""A store: the folder of a run, one folder a trial, written so that no kill loses a finished one.

STORE/<workload>/<submission>-<framework>/study_<s>/trial_<t>-<hash>/
    trial.json      TrialRecord: the trial, its identity, its result once it has ended
    events.jsonl    the hash-chained log, from which the result is computed
    worker.log      what the submission printed
    tensorboard/    event files
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.core.locks import lock
from harness.plan.trial import SCHEMA_VERSION, Result, Trial, TrialRecord
from harness.record.attempts import Attempt, attempts_of, final_end
from harness.record.log import read_events

TRIAL_FILE = "trial.json"
EVENTS_FILE = "events.jsonl"


def write_record(folder: Path, record: TrialRecord) -> None:
    """Write `trial.json` in one piece or not at all.

    Raises:
        CannotWriteError: the folder cannot be written.
    """
    write_whole(folder / TRIAL_FILE, record_text(record))


def record_text(record: TrialRecord) -> str:
    """The text of a `trial.json`, which is the only one for a record."""
    return record.model_dump_json(indent=2) + "\n"


def read_record(path: Path) -> TrialRecord:
    """Read a `trial.json`, or a bare trial, which stands for a record without a result.

    Raises:
        HarnessError: the file is missing or is neither, or another version of the harness wrote it.
    """
    text = _text(path)
    try:
        return TrialRecord.model_validate_json(text)
    except ValidationError as as_record:
        _refuse_other_version(path, text)
        try:
            trial = Trial.model_validate_json(text)
        except ValidationError:
            first = as_record.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "the whole file"
            raise HarnessError(
                f"{path} is no trial: {key}: {first['msg']}",
                "`harness run` writes a trial.json into the folder of each trial",
            ) from as_record
        return TrialRecord(identity=trial.identity, trial=trial)


def refuse_other_versions(store: Path) -> None:
    """Check that a store's trials are of this version's form.

    Raises:
        HarnessError: one is not; the message says what to do.
    """
    for path in record_paths(store):
        _refuse_other_version(path, _text(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"cannot read the trial {path}: {error}") from error


def _refuse_other_version(path: Path, text: str) -> None:
    version = _version(text)
    if version is None or version == SCHEMA_VERSION:
        return
    age = "an older" if version < SCHEMA_VERSION else "a newer"
    raise HarnessError(
        f"{path} was written by {age} version of the harness: its trial has schema_version "
        f"{version}, this version reads {SCHEMA_VERSION}",
        "score and verify its folder with that version, or run it again into another folder: "
        "harness run --out DIR",
    )


def _version(text: str) -> int | None:
    """The form of a record's trial, or of a bare one; None if that is not to be seen."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    inner = value.get("trial")
    version = (inner if isinstance(inner, dict) else value).get("schema_version")
    return version if type(version) is int else None


def result_of(folder: Path) -> Result | None:
    """The result of a trial's folder, from its events; None if the trial has not ended."""
    path = folder / EVENTS_FILE
    end = final_end(read_events(path) if path.exists() else [])
    return end.result if end else None


def last_attempt(folder: Path) -> Attempt | None:
    """A trial's last attempt, as it counts; None if it never began."""
    path = folder / EVENTS_FILE
    attempts = attempts_of(read_events(path)) if path.exists() else []
    return attempts[-1] if attempts else None


def record_paths(store: Path) -> list[Path]:
    """All `trial.json` of a store, in the order of their paths."""
    return sorted(store.glob(f"*/*/study_*/trial_*/{TRIAL_FILE}"))


@contextmanager
def lock_trial(folder: Path) -> Iterator[None]:
    """Hold a trial's folder against other processes.

    Raises:
        HarnessError: another process runs the trial now, or the folder cannot be written.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock_file = path.open("w")
    except OSError as error:
        raise HarnessError(
            f"cannot write {path}: {error}",
            "choose another folder with --out, or make this one writable",
        ) from error
    with lock_file as file:
        if not lock(file, wait=False):
            raise HarnessError(
                f"another process is running the trial in {folder}",
                "wait for it, or choose another folder with --out",
            )
        yield
