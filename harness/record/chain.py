"""The hash chain of a log: each line contains the hash of the previous one.

A line is the canonical JSON of `seq`, `at` (UTC), `kind`, `by` (the referee, or the worker for
claims), `data`, `previous` and `hash`; `hash` is the SHA-256 of the line without it. The chain
protects against accidents, not against an author who recomputes it. It covers the bytes;
`harness.record.log` interprets them.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from harness.core.canonical import canonical_json, sha256_text
from harness.core.errors import HarnessError
from harness.core.recorded import JsonObject, Recorded, Whole
from harness.record.schema import Author, EventData

GENESIS = "0" * 64
TAIL_BYTES = 4096
DAMAGE_HINT = (
    "it was changed or damaged: bring back a copy; or, if it is a trial's, mark that "
    "as lost and run it again: harness rerun OUT --trial NAME --reason TEXT"
)


class BrokenChainError(HarnessError):
    """An event log does not match its hash chain."""


class RawLine(Recorded):
    """One line of a log, as it is written."""

    seq: Whole
    """From 0."""
    at: str
    """UTC, ISO 8601."""
    kind: str
    by: Author
    data: JsonObject
    previous: str
    hash: str

    @classmethod
    def after(cls, last: RawLine | None, data: EventData, by: Author) -> RawLine:
        """The line that follows the last one of a log."""
        line = cls(
            seq=last.seq + 1 if last else 0,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            kind=data.kind,
            by=by,
            data=data.as_json(),
            previous=last.hash if last else GENESIS,
            hash="",
        )
        return line.model_copy(update={"hash": line.expected_hash})

    @property
    def expected_hash(self) -> str:
        """The hash of its content."""
        body = self.as_json()
        del body["hash"]
        return sha256_text(canonical_json(body))

    @property
    def content(self) -> bytes:
        """Its bytes in the file, including the newline."""
        return f"{canonical_json(self.as_json())}\n".encode()


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        HarnessError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise HarnessError(f"cannot read {path}: {error}") from error


def whole_lines(content: bytes) -> list[bytes]:
    """The complete lines of a log, without newlines; an incomplete last line is dropped."""
    return content.split(b"\n")[:-1]


def chain_of(log: bytes, path: Path) -> list[RawLine]:
    """The complete lines of a log, checked against their chain.

    Args:
        log: the bytes of a log, from its first line on.
        path: their file, for errors.

    Raises:
        BrokenChainError: a complete line does not fit the chain.
    """
    chain: list[RawLine] = []
    for number, content in enumerate(whole_lines(log), start=1):
        line = parse_line(content)
        previous = chain[-1].hash if chain else GENESIS
        if line is None or (line.previous, line.seq) != (previous, len(chain)):
            raise BrokenChainError(
                f"{path}, line {number}: the event does not match the hash chain", DAMAGE_HINT
            )
        chain.append(line)
    return chain


def last_line(path: Path) -> tuple[RawLine | None, int]:
    """The last complete line of a log and its end offset, without reading what precedes it.

    Raises:
        BrokenChainError: its hash does not match its content.
    """
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            tail = b""
            while tail.count(b"\n") < 2 and len(tail) < end:
                size = min(end, max(TAIL_BYTES, 2 * len(tail)))
                file.seek(end - size)
                tail = file.read(size)
    except OSError as error:
        raise HarnessError(f"cannot read {path}: {error}") from error
    whole, newline, rest = tail.rpartition(b"\n")
    if not newline:
        return None, 0
    line = parse_line(whole.rpartition(b"\n")[2])
    if line is None:
        raise BrokenChainError(
            f"{path}, last line: the event does not match the hash chain", DAMAGE_HINT
        )
    return line, end - len(rest)


def parse_line(content: bytes) -> RawLine | None:
    """Parse a line; None if its hash or its bytes do not match its content."""
    try:
        values = json.loads(content)
        line = RawLine.model_validate(values, strict=True)
        text = canonical_json(values)
        # the canonical text of the line without its hash, which cannot stand in it a second time
        body = text.replace(f'"hash":"{line.hash}",', "", 1)
        fits = text.encode() == content and line.hash == sha256_text(body)
    except (ValueError, RecursionError):
        return None
    return line if fits else None
