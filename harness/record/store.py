"""A store: the folder of a run, one folder a trial, written so that no kill loses a finished one.

STORE/<workload>/<submission>-<framework>/study_<s>/trial_<t>-<hash>/
    trial.json      TrialRecord: the trial, its identity, its result once it has ended
    events.jsonl    the hash-chained log, from which the result is computed
    worker.log      what the submission printed
    tensorboard/    event files
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from harness.core.errors import HarnessError
from harness.plan.trial import Result, Trial, TrialRecord
from harness.record.log import read_events

TRIAL_FILE = "trial.json"
EVENTS_FILE = "events.jsonl"


def write_record(folder: Path, record: TrialRecord) -> None:
    """Write `trial.json` in one piece or not at all.

    Raises:
        HarnessError: the folder cannot be written.
    """
    path, draft = folder / TRIAL_FILE, folder / f".{TRIAL_FILE}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            file.write(record_text(record))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise HarnessError(
            f"cannot write {path}: {error}",
            "free some space or choose another folder with --out, and run the same command again",
        ) from error


def record_text(record: TrialRecord) -> str:
    """The text of a `trial.json`, which is the only one for a record."""
    return record.model_dump_json(indent=2) + "\n"


def read_record(path: Path) -> TrialRecord:
    """Read a `trial.json`, or a bare trial, which stands for a record without a result.

    Raises:
        HarnessError: the file is missing or is neither.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"cannot read the trial {path}: {error}") from error
    try:
        return TrialRecord.model_validate_json(text)
    except ValidationError as as_record:
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


def result_of(folder: Path) -> Result | None:
    """The result of a trial's folder, from its events; None if the trial has not ended."""
    path = folder / EVENTS_FILE
    events = read_events(path) if path.exists() else []
    if not events or events[-1]["kind"] != "end":
        return None
    return Result.model_validate(events[-1]["data"]["result"])


def record_paths(store: Path) -> list[Path]:
    """All `trial.json` of a store, in the order of their paths."""
    return sorted(store.glob(f"*/*/study_*/trial_*/{TRIAL_FILE}"))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a trial's folder against other processes.

    Raises:
        HarnessError: another process runs the trial now, or the folder cannot be written.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = path.open("w")
    except OSError as error:
        raise HarnessError(
            f"cannot write {path}: {error}",
            "choose another folder with --out, or make this one writable",
        ) from error
    with held as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HarnessError(
                f"another process is running the trial in {folder}",
                "wait for it, or choose another folder with --out",
            ) from error
        yield
