"""The append-only log of one trial: `events.jsonl`, each line chained to the one before it.

A line is the canonical JSON of an event with `seq`, `at` (UTC), `kind`, `by` (who said it: the
referee, or the worker's claim), `data`, `previous` and `hash`; `hash` is the SHA-256 of the line
without it. The chain guards against accidents, not against an author who recomputes it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from harness.core.canonical import canonical_json, sha256_text
from harness.core.errors import CannotWriteError, HarnessError

SCHEMA_VERSION = 1
GENESIS = "0" * 64

Event = Mapping[str, Any]
Origin = Literal["measured", "imported"]


class BrokenChainError(HarnessError):
    """An event log was changed after it was written."""


class EventLog:
    """The writer of one log; opening it drops a torn last line and goes on behind the rest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        kept = read_events(path) if path.exists() else []
        self._previous = kept[-1]["hash"] if kept else GENESIS
        self._sequence = len(kept)
        whole = "".join(f"{canonical_json(event)}\n" for event in kept).encode()
        if path.exists() and path.stat().st_size != len(whole):
            os.truncate(path, len(whole))
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise _cannot_write(path, error) from error

    def append(self, kind: str, by: Literal["referee", "worker"], data: Mapping[str, Any]) -> Event:
        """Write one event and return it as written.

        Raises:
            HarnessError: the line cannot be written (a full disk, say); what was written before
                stays readable.
        """
        body = {
            "seq": self._sequence,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "kind": kind,
            "by": by,
            "data": dict(data),
            "previous": self._previous,
        }
        event = {**body, "hash": sha256_text(canonical_json(body))}
        line = f"{canonical_json(event)}\n".encode()
        try:
            if self._file.write(line) != len(line):
                raise OSError("no space left for a whole line")
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        self._previous = event["hash"]
        self._sequence += 1
        return event

    def close(self) -> None:
        """Flush to the disk and close."""
        with self._file:
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                raise _cannot_write(self.path, error) from error


def _cannot_write(path: Path, error: OSError) -> CannotWriteError:
    return CannotWriteError(
        f"cannot write {path}: {error}",
        "free some space and run the same command again; finished trials are kept",
    )


def read_events(path: Path) -> list[dict[str, Any]]:
    """All whole events of a log, checked against their chain; a torn last line is left out.

    Raises:
        BrokenChainError: a line other than a torn last one does not fit the chain.
    """
    events: list[dict[str, Any]] = []
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise HarnessError(f"cannot read {path}: {error}") from error
    previous = GENESIS
    for number, line in enumerate(lines[:-1], start=1):
        event = _checked(line, previous, len(events))
        if event is None:
            raise BrokenChainError(
                f"{path}, line {number}: the event does not fit the chain",
                "it was changed or damaged: bring back a copy; or, if it is a trial's, mark that "
                "as lost and run it again: harness rerun OUT --trial NAME --reason TEXT",
            )
        events.append(event)
        previous = event["hash"]
    return events


def _checked(line: bytes, previous: str, sequence: int) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
        body = {key: value for key, value in event.items() if key != "hash"}
        text = canonical_json(body)
        fits = event["hash"] == sha256_text(text) and canonical_json(event).encode() == line
        is_event = isinstance(event["data"], dict) and isinstance(event["kind"], str)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not (fits and is_event) or event.get("previous") != previous or event.get("seq") != sequence:
        return None
    return dict(event)
