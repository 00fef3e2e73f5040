"""A store: the folder of a run, with a folder per trial, in which finished trials are never lost.

STORE/<workload>/<submission>-<framework>/study_<s>/trial_<t>-<hash>/
    trial.json      TrialRecord: the trial, its identity, its result once it has ended
    events.jsonl    the hash-chained log, from which the result is computed
    worker.log      what the submission printed
    tensorboard/    event files
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from harness.core.errors import HarnessError
from harness.core.files import write_whole
from harness.core.locks import lock
from harness.plan.trial import SCHEMA_VERSION, Result, Trial, TrialRecord
from harness.record.attempts import Attempt, attempts_of, final_end
from harness.record.log import Event, lines_of
from harness.record.schema import TRIAL_EVENTS, End

TRIAL_FILE = "trial.json"
EVENTS_FILE = "events.jsonl"


def write_record(folder: Path, record: TrialRecord) -> None:
    """Write `trial.json` atomically.

    Raises:
        CannotWriteError: the folder cannot be written.
    """
    write_whole(folder / TRIAL_FILE, record_text(record))


def record_text(record: TrialRecord) -> str:
    """The canonical text of a `trial.json`."""
    return record.model_dump_json(indent=2) + "\n"


@dataclass(frozen=True)
class TrialFile:
    """The content of a `trial.json`."""

    path: Path
    content: bytes
    record: TrialRecord


@dataclass(frozen=True)
class TrialLog:
    """The complete events of a trial."""

    events: list[Event]
    is_torn: bool = False
    """Whether an incomplete line follows, as after an interruption."""

    @cached_property
    def attempts(self) -> list[Attempt]:
        """Its attempts, in order, without discarded events."""
        return attempts_of(self.events)

    @property
    def last(self) -> Attempt | None:
        """The last attempt; None if none has begun."""
        return self.attempts[-1] if self.attempts else None

    @property
    def end(self) -> End | None:
        """The trial's end; None if it has not ended, or has been reopened."""
        return final_end(self.events)


def read_trial_file(path: Path) -> TrialFile:
    """Read a `trial.json`; a bare trial is read as a record without a result.

    Raises:
        HarnessError: the file is missing or invalid, or was written by another version of the
            harness.
    """
    content = _content(path)
    return TrialFile(path, content, _record(path, _decode(path, content)))


def read_record(path: Path) -> TrialRecord:
    """The record in a `trial.json`; otherwise as `read_trial_file`."""
    return read_trial_file(path).record


def read_log(folder: Path) -> TrialLog:
    """The events in a trial's folder; none if it has not begun.

    Raises:
        BrokenChainError: a complete line does not fit the chain.
        SchemaError: a line is not a valid event.
    """
    path = folder / EVENTS_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return TrialLog([])
    except OSError as error:
        raise HarnessError(f"cannot read {path}: {error}") from error
    is_torn = bool(content) and not content.endswith(b"\n")
    return TrialLog(lines_of(content, path, TRIAL_EVENTS), is_torn)


def _record(path: Path, text: str) -> TrialRecord:
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
                f"{path} is not a trial: {key}: {first['msg']}",
                "`harness run` writes a trial.json into the folder of each trial",
            ) from as_record
        return TrialRecord(identity=trial.identity, trial=trial)


def refuse_other_versions(store: Path) -> None:
    """Check that a store's trials have this version's format.

    Raises:
        HarnessError: one has not; the message says what to do.
    """
    for path in record_paths(store):
        _refuse_other_version(path, _decode(path, _content(path)))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HarnessError(f"cannot read the trial {path}: {error}") from error


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
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
    """The format version of a record's trial, or of a bare trial; None if unknown."""
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
    end = read_log(folder).end
    return end.result if end else None


def last_attempt(folder: Path) -> Attempt | None:
    """A trial's last attempt; None if it never began."""
    return read_log(folder).last


def record_paths(store: Path) -> list[Path]:
    """The paths of all `trial.json` in a store, sorted.

    Raises:
        HarnessError: a folder of it cannot be read.
    """
    folders = [store]
    for begins in ("", "", "study_", "trial_"):
        folders = [inside for folder in folders for inside in _folders(folder, begins)]
    return [path for folder in folders if (path := folder / TRIAL_FILE).exists()]


def _folders(folder: Path, begins: str) -> list[Path]:
    """The subfolders whose names have a prefix, sorted; none if the folder is gone."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.name.startswith(begins) and e.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise HarnessError(f"cannot read the folder {folder}: {error}") from error
    return [folder / name for name in names]


@contextmanager
def lock_trial(folder: Path) -> Iterator[None]:
    """Lock a trial's folder against other processes.

    Raises:
        HarnessError: another process is running the trial, or the folder cannot be written.
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


def is_held(folder: Path) -> bool:
    """Whether a process, on any machine that shares the folder, is running its trial."""
    try:
        lock_file = (folder / ".lock").open("r+")
    except OSError:  # nobody has held it yet
        return False
    with lock_file as file:
        return not lock(file, wait=False)
