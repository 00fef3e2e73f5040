"""An index of a ledger's lines by trial, built without parsing them."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import BinaryIO

from harness.core.errors import HarnessError

IDENTITY = re.compile(rb'"identity":"([0-9a-f]{64})"')
"""The key in canonical JSON; inside a text its quotes would be escaped."""


class LineIndex:
    """The offsets of a growing file's complete lines by the identity in them.

    Args:
        path: an append-only file, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._forget()

    def has(self, identity: str) -> bool:
        """Whether there is a line on this trial."""
        self._read_on()
        return identity.encode() in self._places

    def lines(self, identity: str) -> list[bytes]:
        """The lines on a trial, in order, without newlines."""
        self._read_on()
        places = self._places.get(identity.encode(), ())
        if not places:
            return []
        with self._path.open("rb") as file:
            return [_at(file, *place) for place in places]

    def _read_on(self) -> None:
        """Index what was appended since the last call.

        Raises:
            HarnessError: the file cannot be read.
        """
        size = self._path.stat().st_size if self._path.exists() else 0
        if size < self._end:
            self._forget()
        if size == self._end:
            return
        try:
            with self._path.open("rb") as file:
                file.seek(self._end)
                content = file.read()
        except OSError as error:
            raise HarnessError(f"cannot read {self._path}: {error}") from error
        whole = content.rfind(b"\n") + 1
        for match in IDENTITY.finditer(content, 0, whole):
            start = content.rfind(b"\n", 0, match.start()) + 1
            stop = content.index(b"\n", match.end())
            self._places[match[1]].append((self._end + start, self._end + stop))
        self._end += whole

    def _forget(self) -> None:
        self._end = 0
        self._places: dict[bytes, list[tuple[int, int]]] = defaultdict(list)


def _at(file: BinaryIO, start: int, stop: int) -> bytes:
    file.seek(start)
    return file.read(stop - start)
