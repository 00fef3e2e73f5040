"""The append-only log of one trial: `events.jsonl`, each line chained to the one before it."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from harness.core.canonical import canonical_json
from harness.core.errors import CannotWriteError, HarnessError
from harness.record.chain import (
    DAMAGE_HINT,
    RawLine,
    chain_of,
    last_line,
    read_bytes,
    whole_lines,
)
from harness.record.plain import D, Line, plain_lines
from harness.record.schema import TRIAL_EVENTS, Author, EventData, TrialEvent


class SchemaError(HarnessError):
    """A line that fits the chain is no valid event: its kind is unknown, or its keys are wrong."""


Event = Line[TrialEvent]


class EventLog:
    """The writer of one log; opening it removes an incomplete last line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last = None
        if path.exists():
            self._last, size = last_line(path)
            if path.stat().st_size != size:
                os.truncate(path, size)
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise CannotWriteError.of(path, error) from error

    def append(self, data: EventData, by: Author = "referee") -> None:
        """Write one event.

        Raises:
            HarnessError: the line cannot be written, for example because the disk is full; earlier
                lines stay readable.
        """
        line = RawLine.after(self._last, data, by)
        content = line.content
        try:
            if self._file.write(content) != len(content):
                raise OSError("no space left for a whole line")
        except OSError as error:
            raise CannotWriteError.of(self.path, error) from error
        self._last = line

    def close(self) -> None:
        """Flush to the disk and close."""
        with self._file:
            try:
                os.fsync(self._file.fileno())
            except OSError as error:
                raise CannotWriteError.of(self.path, error) from error


def read_events(path: Path) -> list[Event]:
    """All complete events of a trial's log, checked against their chain and the schema.

    An incomplete last line is dropped.

    Raises:
        BrokenChainError: a complete line does not fit the chain.
        SchemaError: a line is not a valid event.
    """
    return read_lines(path, TRIAL_EVENTS)


def read_lines(path: Path, schema: TypeAdapter[D]) -> list[Line[D]]:
    """As `read_events`, for any schema."""
    return lines_of(read_bytes(path), path, schema)


def lines_of(log: bytes, path: Path, schema: TypeAdapter[D]) -> list[Line[D]]:
    """As `read_lines`, for a log's bytes; the path is for errors."""
    lines = plain_lines(whole_lines(log), schema)
    if lines is not None:
        return lines
    return [line_of(line, path, schema) for line in chain_of(log, path)]


def line_of(line: RawLine, path: Path, schema: TypeAdapter[D]) -> Line[D]:
    """Parse a line of a log with its schema.

    Raises:
        SchemaError: it is not a valid event.
    """
    if "kind" in line.data:
        raise _event_error(path, line, f"{line.kind}: 'kind' is not a key of its data")
    try:
        text = canonical_json({**line.data, "kind": line.kind})
        data = schema.validate_json(text, strict=True)
    except ValidationError as error:
        raise _event_error(path, line, _why(line, error)) from error
    except (ValueError, RecursionError) as error:
        raise _event_error(path, line, str(error)) from error
    return Line(line.seq, line.at, line.by, data, line.hash)


def _why(line: RawLine, error: ValidationError) -> str:
    """The first validation error, with its location."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "union_tag_invalid" and not first["loc"]:
        return f"unknown kind '{line.kind}'; known: {first['ctx']['expected_tags']}"
    place = ".".join(str(part) for part in first["loc"]) or line.kind
    return f"{place}: {first['msg']}"


def _event_error(path: Path, line: RawLine, why: str) -> SchemaError:
    what = f"{path}, line {line.seq + 1}: no event of this harness's schema: {why}"
    return SchemaError(what, f"a newer harness wrote it, or {DAMAGE_HINT}")
