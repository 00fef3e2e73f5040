"""Lines of a log read many at once, several times as fast as one by one.

A block of lines is taken if each is plainly as this harness writes it: then its bytes are
canonical, its hash is that of its bytes, it follows the line before it, and its data are what the
schema wants, all of which is checked here. What comes out is what `harness.record.log.line_of`
makes of the same lines. Whatever is not plain, right or wrong, is left to that reader, which names
what does not fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, TypeVar

from pydantic import TypeAdapter

from harness.core.canonical import canonical_json
from harness.record.chain import GENESIS
from harness.record.schema import Author, EventData

D_co = TypeVar("D_co", bound=EventData, covariant=True)
D = TypeVar("D", bound=EventData)

PLAIN = re.compile(
    rb'\{"at":"([0-9T:.+-]+)","by":"(referee|worker)","data":(\{.*\}),'
    rb'("hash":"([0-9a-f]{64})",)"kind":"([a-z_]+)",'
    rb'"previous":"([0-9a-f]{64})","seq":(0|[1-9][0-9]{0,15})\}'
)
"""A line in the order of its keys, canonical but for its data. Nothing behind them can hold a quote
or a brace: there is one way to part it."""
AUTHORS: dict[bytes, Author] = {b"referee": "referee", b"worker": "worker"}
BLOCK = 1000
"""Lines that are taken at once, which bounds the memory."""
AMBIGUOUS = b'"kind":'
"""A key of data that would stand for the line's own kind; inside a text its quotes have
backslashes."""


@dataclass(frozen=True)
class Line(Generic[D_co]):
    """One line of a log."""

    seq: int
    """From 0."""
    at: str
    """UTC, ISO 8601."""
    by: Author
    data: D_co
    hash: str

    @property
    def kind(self) -> str:
        """What happened, in a word."""
        return self.data.kind


def plain_lines(contents: Sequence[bytes], schema: TypeAdapter[D]) -> list[Line[D]] | None:
    """All lines of a log from its first on; None if they are not all plain.

    Args:
        contents: the lines, without their ends.
        schema: of what they say.
    """
    lines: list[Line[D]] = []
    for start in range(0, len(contents), BLOCK):
        matches = [PLAIN.fullmatch(content) for content in contents[start : start + BLOCK]]
        try:
            for match in matches:
                line = match and _plain_line(match, schema, lines[-1] if lines else None)
                if line is None:
                    return None
                lines.append(line)
            if not _are_canonical([match[3].decode() for match in matches if match]):
                return None
        except (ValueError, RecursionError):
            return None
    return lines


def _are_canonical(texts: Sequence[str]) -> bool:
    """Whether JSON texts, each valid by itself, are canonical.

    Parsed and written as one list, as a call for each would take longer than its work.
    """
    whole = f"[{','.join(texts)}]"
    return canonical_json(json.loads(whole)) == whole


def _plain_line(
    match: re.Match[bytes], schema: TypeAdapter[D], last: Line[D] | None
) -> Line[D] | None:
    content = match.string
    at, by, data, _, digest, kind, previous, seq = match.groups()
    start, end = match.span(4)
    if sha256(content[:start] + content[end:]).hexdigest().encode() != digest:
        return None
    expected = (last.hash, last.seq + 1) if last else (GENESIS, 0)
    if (previous.decode(), int(seq)) != expected or AMBIGUOUS in data:
        return None
    rest = b"," + data[1:] if len(data) > 2 else b"}"
    event = schema.validate_json(b'{"kind":"' + kind + b'"' + rest, strict=True)
    return Line(int(seq), at.decode(), AUTHORS[by], event, digest.decode())
